//! Locks in many schedules: one holder at a time, nobody waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder::testing::{Simulation, explore, yield_now};
use larder::{Cache, Lock};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Takes the lock a few times, holds it for less than its time, and gives it back in one way or another.
async fn contend(simulation: Simulation, cache: Cache, holders: Arc<AtomicU32>) {
    for _ in 0..3 {
        let lock = cache.lock("l").ttl(millis(50)).wait_for("1h");
        let lock = lock.await.expect("an hour is enough for everybody");
        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
        simulation.sleep(millis(simulation.random() % 20)).await;
        if simulation.random().is_multiple_of(3) {
            assert!(lock.renew().await.unwrap());
            simulation.sleep(millis(40)).await;
        }
        assert!(lock.is_held());
        holders.fetch_sub(1, Ordering::SeqCst);
        if simulation.random().is_multiple_of(2) {
            assert!(cache.unlock("l", lock.owner()).await.unwrap());
        }
    }
}

/// Takes the lock and does not give it back: its time has to run out.
async fn keep(cache: Cache, holders: Arc<AtomicU32>) -> Lock {
    let lock = cache.lock("l").ttl(millis(50)).wait_for("1h");
    let lock = lock.await.expect("an hour is enough for everybody");
    assert_eq!(holders.load(Ordering::SeqCst), 0, "two hold it");
    lock
}

#[test]
fn a_lock_has_one_holder_and_reaches_everybody() {
    explore(0..3_000, |simulation| {
        let cache = simulation.cache_builder().build().unwrap();
        let holders = Arc::new(AtomicU32::new(0));
        for _ in 0..3 {
            let (own, cache, holders) = (simulation.clone(), cache.clone(), Arc::clone(&holders));
            simulation.spawn(contend(own, cache, holders));
        }
        let kept = simulation.spawn(keep(cache.clone(), Arc::clone(&holders)));
        let impatient = {
            let cache = cache.clone();
            simulation.spawn(async move { drop(cache.lock("l").wait_for("1h").await) })
        };
        let own = simulation.clone();
        simulation.spawn(async move {
            own.sleep(millis(own.random() % 30)).await;
            yield_now().await;
            impatient.cancel();
        });
        simulation.run();
        drop(kept);
        assert!(
            cache.clock().now().as_nanos() < 10_000_000_000,
            "a wake-up was lost"
        );
    });
}
