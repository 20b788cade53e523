//! The store in an SQLite database: the suite.

mod disk;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use disk::{Directory, Opened, drive, open, parked, run};
use larder::conformance::{self, Expect, Power, Subject};
use larder::runtime::BoxFuture;
use larder::store::Store;
use proptest::prelude::*;

#[test]
fn a_file_does_what_every_store_must() {
    let directory = Directory::new();
    let url = format!("sqlite://{}?sweep=20ms", directory.join("a.db").display());
    run(conformance::all(&Opened(url)));
}

#[test]
fn a_file_does_so_for_callers_that_park() {
    let directory = Directory::new();
    let url = format!("sqlite://{}", directory.join("a.db").display());
    parked(conformance::all(&Opened(format!(
        "{url}?sync_reads=inline"
    ))));
}

/// Handles of a database in memory cannot be had twice: those of one prefix are one.
struct Memory(Mutex<HashMap<String, Arc<dyn Store>>>);

impl Subject for Memory {
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
        Box::pin(async move {
            let mut all = self.0.lock().unwrap();
            if let Some(store) = all.get(prefix) {
                return Ok(Arc::clone(store));
            }
            let store = open("sqlite://memory", prefix)?;
            all.insert(prefix.to_owned(), Arc::clone(&store));
            Ok(store)
        })
    }

    fn expect(&self) -> Expect {
        Expect::everything().unsupported(Power::Invalidations)
    }
}

#[test]
fn memory_does_what_every_store_must() {
    let memory = Memory(Mutex::default());
    run(async {
        // This one closes a handle and goes on with another.
        let twice = "standing::a_closed_store_fails";
        for case in conformance::cases().iter().filter(|c| c.name() != twice) {
            case.run(&memory).await.unwrap();
        }
    });
}

#[test]
fn a_row_of_bits_is_cleared_for_a_reader_as_a_whole() {
    const ROUNDS: usize = 300;
    // Each in a page of its own.
    let positions: Vec<u32> = (0..200).map(|page| page * 1_024).collect();
    for reads in ["thread", "inline"] {
        let directory = Directory::new();
        let url = format!("sqlite://{}", directory.join("a.db").display());
        let (writer, reader) = (
            open(&url, "").unwrap(),
            open(&format!("{url}?sync_reads={reads}"), "").unwrap(),
        );
        let is_done = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let bits = writer.bits().unwrap();
                parked(async {
                    for _ in 0..ROUNDS {
                        bits.set("row", &positions, None).await.unwrap();
                        bits.clear("row").await.unwrap();
                    }
                });
                is_done.store(true, Ordering::Release);
            });
            let bits = reader.bits().unwrap();
            while !is_done.load(Ordering::Acquire) {
                let set = parked(bits.test("row", &positions)).unwrap();
                let count = set.iter().filter(|set| **set).count();
                assert!(count == 0 || count == set.len(), "{count} of {}", set.len());
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn two_handles_do_what_the_model_does(steps in disk::model::steps()) {
        let directory = Directory::new();
        let url = format!("sqlite://{}", directory.join("a.db").display());
        let handles = [open(&url, "").unwrap(), open(&url, "").unwrap()];
        drive(disk::model::compare([&*handles[0], &*handles[1]], steps));
    }
}
