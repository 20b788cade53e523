//! Chains of stores, over stores without a server.

use std::sync::Arc;
use std::time::Duration;

use larder::store::*;

mod stores;

use stores::*;

fn chain(levels: Vec<Level>) -> Arc<dyn Store> {
    Arc::new(Tiers::new(levels).unwrap())
}

/// A chain of so many levels, each a place of its own.
fn plain(memory: &Memory, prefix: &str, count: usize) -> Arc<dyn Store> {
    let levels = (0..count).map(|n| Level::new(Arc::new(memory.place(n).within(prefix))));
    chain(levels.collect())
}

#[test]
fn a_chain_of_one_level_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| plain(memory, prefix, 1)).conforms();
}

#[test]
fn a_chain_of_two_levels_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| plain(memory, prefix, 2)).conforms();
}

#[test]
fn a_chain_of_four_levels_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| plain(memory, prefix, 4)).conforms();
}

#[test]
fn a_chain_of_guarded_levels_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| {
        let guarded = |n| Level::new(memory.guarded(memory.place(n).within(prefix)));
        chain(vec![
            guarded(0).cap(Duration::from_secs(100_000)),
            guarded(1),
        ])
    })
    .conforms();
}

#[test]
fn a_chain_in_a_chain_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| {
        let below = plain(memory, prefix, 2);
        chain(vec![
            Level::new(Arc::new(memory.place(2).within(prefix))),
            Level::new(below),
        ])
    })
    .conforms();
}
