//! Random operations of two processes on three servers, against a model of a page.

use std::collections::HashMap;

use larder::store::memcached::Memcached;
use larder::store::{Ask, Condition, Removal, Store, Token};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::ask::Asked;
use crate::memcached_server;
use crate::servers::Server;

const KEYS: [&str; 6] = ["a:1", "a:2", "b:1", "b", "a b\n", "é:1"];
const PREFIXES: [&str; 5] = ["a", "a:", "b", "b:", ""];

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Put(usize, i64),
    PutIf(usize, i64, bool),
    Remove(usize),
    RemovePrefix(usize),
    Lease(usize, bool),
    Fill(usize, i64),
    Add(usize, i64),
}

fn step() -> impl Strategy<Value = (bool, Step)> {
    let key = 0..KEYS.len();
    let number = || -99_i64..99;
    let step = prop_oneof![
        4 => key.clone().prop_map(Step::Read),
        2 => (key.clone(), number()).prop_map(|(k, n)| Step::Put(k, n)),
        2 => (key.clone(), number(), any::<bool>()).prop_map(|(k, n, p)| Step::PutIf(k, n, p)),
        2 => key.clone().prop_map(Step::Remove),
        1 => (0..PREFIXES.len()).prop_map(Step::RemovePrefix),
        4 => (key.clone(), any::<bool>()).prop_map(|(k, always)| Step::Lease(k, always)),
        6 => (0_usize..6, number()).prop_map(|(t, n)| Step::Fill(t, n)),
        2 => (key, number()).prop_map(|(k, n)| Step::Add(k, n)),
    ];
    (any::<bool>(), step)
}

/// What is true: a value, and a number that moves when leases end.
#[derive(Default)]
struct Model {
    entries: HashMap<usize, (Option<i64>, u64)>,
    leases: Vec<(usize, u64, Token)>,
}

impl Model {
    fn end(&mut self, key: usize, value: Option<i64>) {
        let entry = self.entries.entry(key).or_default();
        *entry = (value, entry.1 + 1);
    }

    fn value(&self, key: usize) -> Option<i64> {
        self.entries.get(&key).and_then(|entry| entry.0)
    }

    async fn apply(&mut self, store: &Memcached, step: &Step) {
        let text = |number: Option<i64>| number.map(|number| number.to_string().into_bytes());
        match *step {
            Step::Read(k) => {
                let found = store.value(KEYS[k]).await.unwrap();
                assert_eq!(found, text(self.value(k)), "{step:?}");
            }
            Step::Put(k, n) => {
                store.put(KEYS[k], n.to_string().as_bytes()).await.unwrap();
                self.end(k, Some(n));
            }
            Step::PutIf(k, n, present) => {
                let condition = match present {
                    true => Condition::Present,
                    false => Condition::Absent,
                };
                let bytes = n.to_string().into_bytes();
                let put = store.put_if(KEYS[k], &bytes, condition).await.unwrap();
                assert_eq!(put, self.value(k).is_some() == present, "{step:?}");
                if put {
                    self.end(k, Some(n));
                }
            }
            Step::Remove(k) => {
                let removed = store.remove_one(KEYS[k]).await.unwrap();
                assert_eq!(removed, u64::from(self.value(k).is_some()), "{step:?}");
                self.end(k, None);
            }
            Step::RemovePrefix(p) => {
                store.remove(&Removal::Prefix(PREFIXES[p])).await.unwrap();
                for (k, key) in KEYS.iter().enumerate() {
                    if key.starts_with(PREFIXES[p]) {
                        self.end(k, None);
                    }
                }
            }
            Step::Lease(k, always) => {
                let ask = match always {
                    true => Ask::EntryAndLease,
                    false => Ask::EntryOrLease,
                };
                let found = store.found(KEYS[k], ask, &[]).await.unwrap();
                assert_eq!(found.bytes, text(self.value(k)), "{step:?}");
                let due = always || self.value(k).is_none();
                assert_eq!(found.lease.is_some(), due, "{step:?}");
                let number = self.entries.entry(k).or_default().1;
                self.leases.extend(found.lease.map(|l| (k, number, l)));
            }
            Step::Fill(back, n) => {
                let Some(at) = self.leases.len().checked_sub(back + 1) else {
                    return;
                };
                let (k, number, lease) = self.leases[at].clone();
                let bytes = n.to_string().into_bytes();
                let filled = store.fill_one(KEYS[k], &bytes, &lease).await.unwrap();
                let stands = self.entries[&k].1 == number;
                assert_eq!(filled, stands, "{step:?}");
                if stands {
                    self.entries.entry(k).or_default().0 = Some(n);
                }
            }
            Step::Add(k, n) => {
                let sum = store.counters().unwrap().add(KEYS[k], n, None).await;
                let due = self.value(k).unwrap_or(0) + n;
                assert_eq!(sum.unwrap(), due, "{step:?}");
                self.end(k, Some(due));
            }
        }
    }
}

#[test]
fn two_processes_on_three_servers_agree_with_the_model() {
    let servers: [Server; 3] = [(); 3].map(|()| memcached_server::alone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    });
    let process = || {
        let each = servers.iter();
        let builder = each.fold(Memcached::builder(), |builder, server| {
            builder.server("127.0.0.1", server.port())
        });
        builder.build().unwrap()
    };
    runner
        .run(&prop::collection::vec(step(), 1..80), |steps| {
            runtime.block_on(async {
                let stores = [process(), process()];
                stores[0].remove(&Removal::Prefix("")).await.unwrap();
                let mut model = Model::default();
                for (second, step) in &steps {
                    model.apply(&stores[usize::from(*second)], step).await;
                }
            });
            Ok(())
        })
        .unwrap();
}
