//! Sequences of operations inside and outside of transactions, against a model: a transaction is a copy of all entries that takes their place, or does not.

use std::collections::{BTreeMap, BTreeSet};

use larder::transaction::Mode;
use larder::{Cache, Error};
use proptest::prelude::*;

use crate::given_up;
use crate::support::World;

const KEYS: [&str; 5] = ["a:1", "a:2", "b:1", "b:2", "c"];
const TAGS: [&str; 2] = ["s", "t"];

#[derive(Clone, Debug)]
enum Step {
    Set(&'static str, i64, Option<&'static str>),
    SetIfAbsent(&'static str, i64),
    Delete(&'static str),
    Prefix(&'static str),
    Pattern(&'static str),
    Tag(&'static str),
    Clear,
    Add(&'static str, i64),
    Touch(&'static str),
    Load(&'static str, i64),
    Transaction {
        steps: Vec<Step>,
        mode: Mode,
        commits: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let key = || proptest::sample::select(&KEYS[..]);
    let tag = || proptest::sample::select(&TAGS[..]);
    let value = || -9_i64..10;
    let mode = proptest::sample::select(&[Mode::Fast, Mode::Locked, Mode::Serializable][..]);
    let leaf = prop_oneof![
        6 => (key(), value(), proptest::option::of(tag())).prop_map(|(k, v, t)| Step::Set(k, v, t)),
        1 => (key(), value()).prop_map(|(k, v)| Step::SetIfAbsent(k, v)),
        2 => key().prop_map(Step::Delete),
        1 => prop_oneof![Just("a:"), Just("b")].prop_map(Step::Prefix),
        1 => prop_oneof![Just("*:1"), Just("*:2")].prop_map(Step::Pattern),
        2 => tag().prop_map(Step::Tag),
        1 => Just(Step::Clear),
        4 => (key(), value()).prop_map(|(k, by)| Step::Add(k, by)),
        1 => key().prop_map(Step::Touch),
        3 => (key(), value()).prop_map(|(k, v)| Step::Load(k, v)),
    ];
    leaf.prop_recursive(3, 40, 10, move |inner| {
        let steps = proptest::collection::vec(inner, 0..10);
        (steps, mode.clone(), any::<bool>()).prop_map(|(steps, mode, commits)| Step::Transaction {
            steps,
            mode,
            commits,
        })
    })
}

#[derive(Clone, Debug, Default)]
struct Entry {
    value: i64,
    tag: Option<&'static str>,
    fate: Fate,
}

/// What becomes of an entry at the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Fate {
    #[default]
    Stays,
    /// Loaded where its key had been removed by a tag, which is no removal of the new entry: either is right.
    Open,
    /// Loaded where its key had been removed.
    Goes,
}

/// All entries, and the keys that the open transactions have removed.
#[derive(Clone, Debug, Default)]
struct Model {
    entries: BTreeMap<&'static str, Entry>,
    removed: BTreeSet<&'static str>,
    removed_by_tag: BTreeSet<&'static str>,
}

impl Model {
    fn set(&mut self, key: &'static str, value: i64, tag: Option<&'static str>) {
        let fate = Fate::Stays;
        let entry = Entry { value, tag, fate };
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, gone: impl Fn(&str) -> bool) {
        self.entries.retain(|key, _| !gone(key));
        self.removed.extend(KEYS.iter().filter(|key| gone(key)));
    }

    /// Does a step that is no transaction; what it gives.
    fn take(&mut self, step: &Step) -> Option<i64> {
        match *step {
            Step::Set(key, value, tag) => self.set(key, value, tag),
            Step::SetIfAbsent(key, value) => {
                let is_new = !self.entries.contains_key(key);
                if is_new {
                    self.set(key, value, None);
                }
                return Some(i64::from(is_new));
            }
            Step::Delete(key) => {
                let was = self.entries.contains_key(key);
                self.remove(|other| other == key);
                return Some(i64::from(was));
            }
            Step::Prefix(prefix) => self.remove(|key| key.starts_with(prefix)),
            Step::Pattern(pattern) => self.remove(|key| key.ends_with(&pattern[1..])),
            Step::Tag(tag) => {
                let under: BTreeSet<&str> = self.under(tag);
                self.entries.retain(|key, _| !under.contains(key));
                self.removed_by_tag.extend(under);
            }
            Step::Clear => self.remove(|_| true),
            Step::Add(key, by) => {
                let entry = self.entries.entry(key).or_default();
                entry.value += by;
                entry.fate = Fate::Stays;
                return Some(entry.value);
            }
            Step::Touch(key) => return Some(i64::from(self.entries.contains_key(key))),
            Step::Load(key, value) => {
                let fate = if self.removed.contains(key) {
                    Fate::Goes
                } else if self.removed_by_tag.contains(key) {
                    Fate::Open
                } else {
                    Fate::Stays
                };
                let tag = None;
                let loaded = Entry { value, tag, fate };
                return Some(self.entries.entry(key).or_insert(loaded).value);
            }
            Step::Transaction { .. } => {}
        }
        None
    }

    fn under(&self, tag: &str) -> BTreeSet<&'static str> {
        let under = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.tag == Some(tag));
        under.map(|(key, _)| *key).collect()
    }
}

/// Does a step that is no transaction; what it gives.
fn take(cache: &Cache, step: &Step) -> Result<Option<i64>, Error> {
    let blocking = cache.blocking();
    match *step {
        Step::Set(key, value, tag) => {
            let set = blocking.set(key, &value).ttl("1h").tags(tag);
            assert!(set.wait()?);
        }
        Step::SetIfAbsent(key, value) => {
            let set = blocking.set(key, &value).ttl("1h").if_absent();
            return set.wait().map(|written| Some(i64::from(written)));
        }
        Step::Delete(key) => {
            // What a store counts may have been forgotten by a tag, so it is not asked how many it removed.
            let was = blocking.exists(key)?;
            blocking.delete(key)?;
            return Ok(Some(i64::from(was)));
        }
        Step::Prefix(prefix) => drop(blocking.delete_prefix(prefix)?),
        Step::Pattern(pattern) => drop(blocking.delete_pattern(pattern)?),
        Step::Tag(tag) => blocking.delete_tags([tag])?,
        Step::Clear => blocking.clear()?,
        Step::Add(key, by) => return blocking.increment(key, by).ttl("1h").wait().map(Some),
        Step::Touch(key) => return blocking.touch(key, "1h").map(|was| Some(i64::from(was))),
        Step::Load(key, value) => {
            let load = || Ok::<_, Error>(value);
            return blocking.get_or_load(key, load).ttl("1h").wait().map(Some);
        }
        Step::Transaction { .. } => {}
    }
    Ok(None)
}

/// The same on the cache and on the model, and the same to be seen after each step.
fn play(cache: &Cache, model: &mut Model, steps: &[Step], is_inside: bool) -> Result<(), Error> {
    for step in steps {
        if let Step::Transaction {
            steps,
            mode,
            commits,
        } = step
        {
            let mut copy = model.clone();
            let done: Result<(), Error> = cache
                .blocking()
                .transaction(*mode, |_| {
                    play(cache, &mut copy, steps, true)?;
                    if *commits { Ok(()) } else { Err(given_up()) }
                })
                .wait();
            assert_eq!(done.is_ok(), *commits);
            if *commits {
                *model = copy;
            }
        } else {
            assert_eq!(take(cache, step)?, model.take(step), "{step:?}");
        }
        if !is_inside {
            model.entries.retain(|key, entry| match entry.fate {
                Fate::Stays => true,
                Fate::Open => cache.blocking().exists(key).unwrap(),
                Fate::Goes => false,
            });
            model
                .entries
                .values_mut()
                .for_each(|entry| entry.fate = Fate::Stays);
            model.removed.clear();
            model.removed_by_tag.clear();
        }
        for key in KEYS {
            let seen = cache.blocking().get::<i64>(key)?;
            let due = model.entries.get(key).map(|entry| entry.value);
            assert_eq!(seen, due, "`{key}` after {step:?}");
        }
        let mut keys = cache.blocking().scan("*")?;
        // A store tells keys whose entries were forgotten by a tag too.
        keys.retain(|key| cache.blocking().exists(key).unwrap());
        keys.sort_unstable();
        assert!(
            keys.iter().eq(model.entries.keys()),
            "{keys:?} after {step:?}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_is_seen_as_if_a_transaction_were_a_copy(steps in proptest::collection::vec(step(), 1..14)) {
        let world = World::new();
        let cache = world.cache();
        play(&cache, &mut Model::default(), &steps, false).unwrap();
    }
}

/// The same over a store: its entries, numbers and tags are bytes there.
#[cfg(feature = "serde")]
mod outside {
    use std::sync::Arc;

    use larder::testing::{MemoryStore, Simulation};

    use super::*;

    /// In a store a number is no value and a value no number: one key is for numbers.
    fn apart(step: Step) -> Step {
        let value = |key| if key == "c" { "a:1" } else { key };
        match step {
            Step::Set(key, to, tag) => Step::Set(value(key), to, tag),
            Step::SetIfAbsent(key, to) => Step::SetIfAbsent(value(key), to),
            Step::Load(key, to) => Step::Load(value(key), to),
            Step::Add(_, by) => Step::Add("c", by),
            Step::Transaction {
                steps,
                mode,
                commits,
            } => Step::Transaction {
                steps: steps.into_iter().map(apart).collect(),
                mode,
                commits,
            },
            other => other,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_sequence_is_seen_so_over_a_store_too(steps in proptest::collection::vec(step(), 1..14), copies in any::<bool>()) {
            let simulation = Simulation::new(3);
            let store = MemoryStore::new(simulation.runtime());
            let cache = Cache::builder().runtime(simulation.runtime()).store(Arc::new(store));
            let cache = if copies { cache.memory_ttl("1h") } else { cache };
            let cache = cache.build().unwrap();
            let steps: Vec<Step> = steps.into_iter().map(apart).collect();
            let running = simulation.spawn_blocking(move || {
                play(&cache, &mut Model::default(), &steps, false).unwrap();
            });
            prop_assert!(simulation.block_on(running).is_some());
        }
    }
}
