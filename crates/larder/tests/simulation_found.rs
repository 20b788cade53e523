//! Schedules that the simulation found, each as small as it can be.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder::testing::Simulation;
use larder::{Cache, Operations, cache_put, cached};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn world() -> (Simulation, Cache) {
    let simulation = Simulation::new(1);
    let cache = simulation.cache_builder().build().unwrap();
    (simulation, cache)
}

/// A source that takes a while and then gives `value`.
async fn after(simulation: Simulation, time: u64, value: u32) -> Result<u32, Infallible> {
    simulation.sleep(millis(time)).await;
    Ok(value)
}

#[test]
fn a_tag_forgotten_before_and_after_a_call_joined_keeps_the_older_value_from_it() {
    let (simulation, cache) = world();
    let (own, c) = (simulation.clone(), cache.clone());
    simulation.spawn(async move {
        let slow = c.get_or_load("k", || after(own, 10, 1));
        assert_eq!(slow.ttl("1h").tags(["t"]).await.unwrap(), 1);
    });
    let (own, c) = (simulation.clone(), cache.clone());
    simulation.spawn(async move {
        own.sleep(millis(1)).await;
        c.delete_tags(["t"]).await.unwrap();
        let later = c.get_or_load("k", || after(own, 0, 2)).ttl("1h");
        assert_eq!(later.await.unwrap(), 2);
    });
    let (own, c) = (simulation.clone(), cache.clone());
    simulation.spawn(async move {
        own.sleep(millis(5)).await;
        c.delete_tags(["t"]).await.unwrap();
    });
    simulation.run();
}

#[test]
fn a_batch_with_reads_switched_off_loads_what_is_there() {
    let (simulation, cache) = world();
    let blocking = cache.blocking();
    blocking.set("k", &1_u32).ttl("1h").wait().unwrap();
    let load = |_| async { Ok::<_, Infallible>([("k".to_owned(), 2_u32)].into()) };
    let batch = cache.get_or_load_many(["k"], load).ttl("1h").into_future();
    let read = larder::scope().off(Operations::READ).wrap(batch);
    assert_eq!(simulation.block_on(read).unwrap()["k"], 2);
}

#[test]
fn a_batch_past_the_cache_leaves_the_flights_of_others_alone() {
    let (simulation, cache) = world();
    for delay in [0, 2] {
        let (own, c) = (simulation.clone(), cache.clone());
        simulation.spawn(async move {
            own.sleep(millis(delay)).await;
            let slow = c.get_or_load("k", || after(own, 10, 1)).ttl("1h");
            assert_eq!(slow.await.unwrap(), 1);
        });
    }
    let (own, c) = (simulation.clone(), cache.clone());
    simulation.spawn(async move {
        own.sleep(millis(1)).await;
        let load = |_| async { Ok::<_, Infallible>([("k".to_owned(), 2_u32)].into()) };
        let batch = c.get_or_load_many(["k"], load).ttl("1h").into_future();
        let read = larder::scope().off(Operations::ALL).wrap(batch);
        assert_eq!(read.await.unwrap()["k"], 2);
    });
    simulation.run();
    assert_eq!(cache.stats().loads, 2);
}

#[test]
fn a_newer_load_beside_the_flight_is_not_overwritten_by_the_older_one() {
    let (simulation, cache) = world();
    let (own, c) = (simulation.clone(), cache.clone());
    simulation.spawn(async move {
        let slow = c.get_or_load("k", || after(own, 20, 1)).ttl("1h");
        assert_eq!(slow.await.unwrap(), 1);
    });
    let (own, c) = (simulation.clone(), cache.clone());
    simulation.spawn(async move {
        own.sleep(millis(1)).await;
        let impatient = c.get_or_load("k", || after(own, 2, 2)).ttl("1h");
        assert_eq!(impatient.wait_at_most("1ms").await.unwrap(), 2);
    });
    simulation.run();
    assert_eq!(cache.blocking().get::<u32>("k").unwrap(), Some(2));
}

#[derive(Clone, Debug, PartialEq)]
struct Broken;

#[cached(key = "impatient", ttl = "1h", wait = "1ms", errors = "1h")]
async fn impatient(
    simulation: Simulation,
    time: u64,
    answer: Result<u32, Broken>,
) -> Result<u32, Broken> {
    simulation.sleep(millis(time)).await;
    answer
}

#[test]
fn an_error_of_a_load_beside_the_flight_does_not_overwrite_its_value() {
    let (simulation, cache) = world();
    let scope = larder::scope().default_cache(&cache);
    let (first, second) = (simulation.clone(), simulation.clone());
    simulation.spawn(scope.clone().wrap(async move {
        assert_eq!(impatient(first, 10, Ok(1)).await, Ok(1));
    }));
    simulation.spawn(scope.clone().wrap(async move {
        second.sleep(millis(1)).await;
        assert_eq!(impatient(second, 20, Err(Broken)).await, Err(Broken));
    }));
    simulation.run();
    let later = impatient(simulation.clone(), 0, Ok(2));
    assert_eq!(simulation.block_on(scope.wrap(later)), Ok(1));
}

#[cache_put(key = "impatient", ttl = "1h", errors = "1h")]
async fn put(answer: Result<u32, Broken>) -> Result<u32, Broken> {
    answer
}

#[test]
fn a_put_that_fails_leaves_the_entry_as_it_is() {
    let (simulation, cache) = world();
    let scope = larder::scope().default_cache(&cache);
    let own = simulation.clone();
    simulation.block_on(scope.wrap(async move {
        assert_eq!(put(Ok(1)).await, Ok(1));
        assert_eq!(put(Err(Broken)).await, Err(Broken));
        assert_eq!(impatient(own, 0, Ok(2)).await, Ok(1));
    }));
}

#[cached(key = "reloaded", ttl = "1m", stale = "1h")]
async fn reloaded(simulation: Simulation, count: Arc<AtomicU32>) -> u32 {
    simulation.sleep(millis(10)).await;
    count.fetch_add(1, Ordering::SeqCst)
}

#[test]
fn a_touch_lets_the_reload_behind_go_on() {
    let (simulation, cache) = world();
    let scope = larder::scope().default_cache(&cache);
    let (own, count) = (simulation.clone(), Arc::new(AtomicU32::new(0)));
    simulation.block_on(scope.wrap(async move {
        let ask = || reloaded(own.clone(), Arc::clone(&count));
        assert_eq!(ask().await, 0);
        own.sleep(Duration::from_secs(61)).await;
        assert_eq!(ask().await, 0, "the stale one, with a reload behind");
        assert!(cache.touch("reloaded", "1h").await.unwrap());
        own.sleep(millis(20)).await;
        assert_eq!(ask().await, 1);
    }));
}
