//! `locked`: one call at a time, here and through a store.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::guard::{Locked, fence};
use larder::runtime::BoxFuture;
use larder::store::{Acquired, Locks, StoreFuture};
use larder::testing::{MemoryStore, Simulation};
use larder::{Cache, Event, Reason, Refused, cached, locked};

use crate::support::{Gate, Log, Running, World, millis, secs};

/// One call under the lock `job`, which waits at a gate and gives its fencing number.
async fn job(cache: Cache, one: Locked, gate: Gate) -> Result<u64, Refused> {
    let body = || async move {
        let fence = fence().expect("a lock has a number");
        gate.pass().await;
        Ok(fence)
    };
    cache.guard(&one, "job", body).await
}

/// A call that holds the lock until its gate is opened.
fn holder(world: &World, cache: &Cache, one: Locked) -> (Running<Result<u64, Refused>>, Gate) {
    let gate = Gate::default();
    let running = world.spawn(job(cache.clone(), one, gate.clone()));
    world.settle();
    (running, gate)
}

fn open() -> Gate {
    let gate = Gate::default();
    gate.open();
    gate
}

/// Whether a call now is let through.
fn is_free(world: &World, cache: &Cache) -> bool {
    let call = job(cache.clone(), Locked::new("10s"), open());
    world.run(call).is_ok()
}

#[test]
fn a_held_lock_refuses_at_once_and_says_how_long_it_has() {
    let world = World::new();
    let cache = world.cache();
    let (running, gate) = holder(&world, &cache, Locked::new("10s"));
    world.advance(secs(2));
    let refused = world
        .run(job(cache.clone(), Locked::new("10s"), open()))
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::Locked);
    assert_eq!(refused.comes_back(), Some(secs(8)));
    assert_eq!(refused.key(), "locked:job");
    assert!(!running.is_done());
    gate.open();
    world.settle();
    assert!(running.value().is_ok());
    assert!(is_free(&world, &cache), "given back when the body returned");
}
