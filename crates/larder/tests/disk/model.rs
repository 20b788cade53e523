//! A store against the shortest model of one: what is there, and which tokens stand.

use std::collections::{BTreeMap, BTreeSet};

use larder::store::{Ask, Condition, Removal, Store, Token, Write};
use proptest::prelude::*;

use super::{Key, MINUTE, keys};

/// Keys that begin alike, hold each other, or need escaping.
const KEYS: [&str; 6] = ["", "a", "a:", "a:b", "A", "é\0/.."];
const PREFIXES: [&str; 4] = ["a", "a:", "é", "zz"];

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put(usize, u8),
    PutIf(usize, u8, bool),
    Lease(usize),
    /// By the token that was given so many leases ago.
    Fill(usize, usize, u8),
    Remove(usize),
    RemovePrefix(usize),
    Add(usize),
    Read(usize),
    /// By another handle from now on.
    Change,
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..KEYS.len();
    // What begins as a head and is none cannot be served: that is another test's.
    let value = || 0..0xC1_u8;
    let step = prop_oneof![
        1 => (key.clone(), value()).prop_map(|(k, v)| Step::Put(k, v)),
        1 => (key.clone(), value(), any::<bool>()).prop_map(|(k, v, there)| Step::PutIf(k, v, there)),
        3 => key.clone().prop_map(Step::Lease),
        3 => (key.clone(), 0..3_usize, value()).prop_map(|(k, ago, v)| Step::Fill(k, ago, v)),
        1 => key.clone().prop_map(Step::Remove),
        1 => (0..PREFIXES.len()).prop_map(Step::RemovePrefix),
        1 => key.clone().prop_map(Step::Add),
        2 => key.prop_map(Step::Read),
        1 => Just(Step::Change),
    ];
    proptest::collection::vec(step, 1..40)
}

#[derive(Default)]
struct Model {
    entries: BTreeMap<&'static str, Vec<u8>>,
    /// Per key, the tokens that stand.
    standing: BTreeMap<&'static str, BTreeSet<Vec<u8>>>,
}

/// Takes the same steps with both, and compares all answers.
pub(crate) async fn compare(handles: [&dyn Store; 2], steps: Vec<Step>) {
    let mut model = Model::default();
    let mut tokens: Vec<Token> = Vec::new();
    let mut turn = 0;
    for step in steps {
        let store = handles[turn];
        match step {
            Step::Change => turn = 1 - turn,
            Step::Read(k) => {
                let bytes = Key(store, KEYS[k]).bytes().await.unwrap();
                assert_eq!(bytes.as_ref(), model.entries.get(KEYS[k]));
            }
            Step::Put(k, value) => {
                assert!(Key(store, KEYS[k]).put(&[value, b'x']).await.unwrap());
                model.standing.remove(KEYS[k]);
                model.entries.insert(KEYS[k], vec![value, b'x']);
            }
            Step::PutIf(k, value, there) => {
                let condition = match there {
                    true => Condition::Present,
                    false => Condition::Absent,
                };
                let write = Write {
                    key: KEYS[k],
                    bytes: &[value],
                    life: Some(MINUTE),
                    condition,
                };
                let holds = model.entries.contains_key(KEYS[k]) == there;
                assert_eq!(store.write(&[write]).await.unwrap(), [holds]);
                if holds {
                    model.standing.remove(KEYS[k]);
                    model.entries.insert(KEYS[k], vec![value]);
                }
            }
            Step::Lease(k) => {
                let found = Key(store, KEYS[k]).ask(Ask::EntryOrLease).await.unwrap();
                let there = model.entries.get(KEYS[k]);
                assert_eq!(found.bytes.as_ref(), there);
                // Without a head it can be served.
                assert_eq!(found.lease.is_none(), there.is_some());
                if let Some(token) = found.lease {
                    let standing = model.standing.entry(KEYS[k]).or_default();
                    standing.insert(token.as_bytes().to_vec());
                    tokens.push(token);
                }
            }
            Step::Fill(k, ago, value) => {
                let Some(token) = tokens.iter().rev().nth(ago) else {
                    continue;
                };
                let standing = model.standing.get(KEYS[k]);
                let stands = standing.is_some_and(|all| all.contains(token.as_bytes()));
                let filled = Key(store, KEYS[k]).fill(&[value], token).await.unwrap();
                assert_eq!(filled, stands);
                if stands {
                    model.entries.insert(KEYS[k], vec![value]);
                }
            }
            Step::Remove(k) => {
                let removed = store.remove(&Removal::Keys(&[KEYS[k]])).await.unwrap();
                model.standing.remove(KEYS[k]);
                let was = model.entries.remove(KEYS[k]).is_some();
                assert_eq!(removed, u64::from(was));
            }
            Step::RemovePrefix(p) => {
                let removed = store.remove(&Removal::Prefix(PREFIXES[p])).await.unwrap();
                let before = model.entries.len();
                model.entries.retain(|key, _| !key.starts_with(PREFIXES[p]));
                model
                    .standing
                    .retain(|key, _| !key.starts_with(PREFIXES[p]));
                assert_eq!(removed, (before - model.entries.len()) as u64);
            }
            Step::Add(k) => {
                let sum = store
                    .counters()
                    .unwrap()
                    .add(KEYS[k], 1, Some(MINUTE))
                    .await;
                let text = model
                    .entries
                    .get(KEYS[k])
                    .map(|b| String::from_utf8(b.clone()));
                let before = match text {
                    None => Some(0),
                    Some(text) => text.ok().and_then(|text| {
                        let number: i64 = text.parse().ok()?;
                        (number.to_string() == text).then_some(number)
                    }),
                };
                assert_eq!(sum.ok(), before.map(|n| n + 1));
                if let Some(before) = before {
                    model.standing.remove(KEYS[k]);
                    let sum = (before + 1).to_string().into_bytes();
                    model.entries.insert(KEYS[k], sum);
                }
            }
        }
    }
    let expected: Vec<String> = model.entries.keys().map(|key| (*key).to_owned()).collect();
    assert_eq!(keys(handles[turn], "").await, expected);
}
