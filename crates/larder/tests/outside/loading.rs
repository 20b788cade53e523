//! `get_or_load` and `get_or_load_many` over a store.

use std::collections::HashMap;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use larder::runtime::Runtime;
use larder::testing::Simulation;
use larder::{ErrorKind, Policy, Refused, cached, cached_batch};

use crate::nodes::{Calls, Node, Oops, World, seconds};

fn answer(keys: Vec<String>, calls: &Calls) -> Result<HashMap<String, u64>, Oops> {
    let number = calls.call()?;
    Ok(keys.into_iter().map(|key| (key, number)).collect())
}

#[test]
fn a_stale_value_of_the_store_is_reloaded_behind_by_a_source_that_owns() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Arc::new(Calls::new()));
    let get = || {
        let calls = Arc::clone(&calls);
        let load = move || async move { calls.call() };
        let load = a.cache.get_or_load("k", load).ttl("1m").stale("1h");
        let found = world.wait(load.into_future()).unwrap();
        world.wait(a.cache.idle());
        found
    };
    assert_eq!(get(), 1);
    world.advance(seconds(90));
    assert_eq!((get(), get()), (1, 2));
}

#[test]
fn a_stale_value_of_the_store_is_reloaded_by_one_caller_when_the_source_borrows() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Calls::new());
    let policy = Policy::new().ttl("1m").stale("1h");
    let get = || {
        let load = || async { calls.call() };
        let load = a.cache.get_or_load("k", load).policy(policy);
        world.wait(load.into_future()).unwrap()
    };
    assert_eq!(get(), 1);
    world.advance(seconds(90));
    assert_eq!(get(), 2);
    world.advance(seconds(90));
    calls.fail();
    assert_eq!(get(), 2, "a stale value stands in");
}

#[test]
fn early_reloads_behind_while_the_value_is_fresh() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Arc::new(Calls::new()));
    let get = || {
        let calls = Arc::clone(&calls);
        let load = move || async move { calls.call() };
        let load = a.cache.get_or_load("k", load).ttl("1m").early(0.5);
        let found = world.wait(load.into_future()).unwrap();
        world.wait(a.cache.idle());
        found
    };
    assert_eq!(get(), 1);
    world.advance(seconds(20));
    assert_eq!((get(), calls.count()), (1, 1));
    world.advance(seconds(20));
    assert_eq!((get(), get()), (1, 2));
}

/// A source that takes long, except for the first time.
async fn slow(simulation: &Simulation, calls: &Calls) -> Result<u64, Oops> {
    let number = calls.call()?;
    if number > 1 {
        simulation.sleep(seconds(20)).await;
    }
    Ok(number)
}

#[cached(key = "page", ttl = "1m", stale = "1h", cache = node.cache)]
async fn page(node: &Node, simulation: &Simulation, calls: &Arc<Calls>) -> Result<u64, Oops> {
    slow(simulation, calls).await
}

#[cached_batch(key = "pages:{id}", ttl = "1m", stale = "1h", cache = node.cache)]
async fn pages(
    node: &Node,
    simulation: &Simulation,
    calls: &Arc<Calls>,
    ids: &[u64],
) -> Result<HashMap<u64, u64>, Oops> {
    let number = slow(simulation, calls).await?;
    Ok(ids.iter().map(|id| (*id, number)).collect())
}

#[test]
fn nobody_waits_for_a_reload_behind_of_what_only_the_store_has() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Arc::new(Calls::new()));
    let simulation = &world.simulation;
    let read = || world.wait(page(&a, simulation, &calls)).unwrap();
    assert_eq!(read(), 1);
    world.advance(seconds(90));
    let began = simulation.clock().now();
    assert_eq!([read(), read(), read()], [1, 1, 1]);
    assert_eq!(simulation.clock().now(), began, "nobody waited");
    world.advance(seconds(21));
    assert_eq!(read(), 2);
    assert_eq!(calls.count(), 2, "one reload");
}

#[test]
fn no_batch_waits_for_a_reload_behind_of_what_only_the_store_has() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Arc::new(Calls::new()));
    let simulation = &world.simulation;
    let read = || world.wait(pages(&a, simulation, &calls, &[7, 8])).unwrap();
    assert_eq!(read()[&7], 1);
    world.advance(seconds(90));
    let began = simulation.clock().now();
    assert_eq!([read()[&7], read()[&8], read()[&7]], [1, 1, 1]);
    assert_eq!(simulation.clock().now(), began, "nobody waited");
    world.advance(seconds(21));
    assert_eq!(read()[&8], 2);
}

/// How many calls there were within five seconds.
async fn soon(simulation: &Simulation, calls: &Calls) -> u64 {
    calls.count();
    simulation.sleep(seconds(5)).await;
    calls.count()
}

#[test]
fn a_batch_does_not_wait_for_others_with_a_reload_that_it_has_claimed() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Arc::new(Calls::new()));
    let simulation = &world.simulation;
    let read = |ids| pages(&a, simulation, &calls, ids);
    assert_eq!(world.wait(read(&[7])).unwrap()[&7], 1);
    world.advance(seconds(90));
    let together = async { tokio::join!(read(&[8]), read(&[7, 8]), soon(simulation, &calls)) };
    let (_, found, begun) = world.wait(together);
    assert_eq!(begun, 2, "7 is loaded anew while 8 is waited for");
    assert_eq!(found.unwrap(), HashMap::from([(7, 1), (8, 2)]));
}

#[test]
fn many_keys_do_not_wait_for_others_with_a_reload_that_they_have_claimed() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Calls::new());
    let simulation = &world.simulation;
    let read = |keys: &'static [&'static str]| {
        let load = async |keys: Vec<String>| {
            let number = slow(simulation, &calls).await?;
            Ok::<_, Oops>(keys.into_iter().map(|key| (key, number)).collect())
        };
        let policy = Policy::new().ttl("1m").stale("1h");
        let load = a.cache.get_or_load_many(keys.iter().copied(), load);
        load.policy(policy).into_future()
    };
    assert_eq!(world.wait(read(&["a"])).unwrap()["a"], 1);
    world.advance(seconds(90));
    let together =
        async { tokio::join!(read(&["b"]), read(&["a", "b"]), soon(simulation, &calls)) };
    let (_, found, begun) = world.wait(together);
    assert_eq!(begun, 2, "`a` is loaded anew while `b` is waited for");
    assert_eq!(found.unwrap()["b"], 2);
}

#[test]
fn what_was_invalidated_is_not_read_beside_its_reload() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Arc::new(Calls::new()));
    let simulation = &world.simulation;
    let read = || world.wait(page(&a, simulation, &calls)).unwrap();
    assert_eq!(read(), 1);
    world.advance(seconds(90));
    assert_eq!(read(), 1, "and it is reloaded behind");
    world.advance(seconds(1));
    assert!(world.wait(a.cache.delete("page")).unwrap());
    assert_eq!(read(), 3, "loaded anew");
}

#[cached(key = "news", ttl = "1m", fail_safe = "1d", timeout = "200ms", hard_timeout = "5s", cache = node.cache)]
async fn news(node: &Node, simulation: &Simulation, calls: &Arc<Calls>) -> Result<u64, Late> {
    Ok(slow(simulation, calls).await.expect("it never fails"))
}

#[derive(Debug)]
struct Late;

impl From<Refused> for Late {
    fn from(_: Refused) -> Self {
        Self
    }
}

#[test]
fn who_waits_for_a_slow_load_is_given_what_the_store_keeps_too() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Arc::new(Calls::new()));
    let simulation = &world.simulation;
    let read = || news(&a, simulation, &calls);
    assert_eq!(world.wait(read()).unwrap(), 1);
    world.advance(seconds(90));
    let began = simulation.clock().now();
    let together = async { tokio::join!(read(), read()) };
    let (first, second) = world.wait(together);
    assert_eq!((first.unwrap(), second.unwrap()), (1, 1));
    let took = simulation.clock().now().since(began);
    assert_eq!(took, Duration::from_millis(200));
    assert_eq!(world.wait(read()).unwrap(), 1, "while it is throttled");
    assert_eq!(simulation.clock().now().since(began), took, "at once");
    world.advance(seconds(21));
    assert_eq!((world.wait(read()).unwrap(), calls.count()), (2, 2));
}

#[test]
fn who_has_waited_for_long_is_given_what_the_store_keeps() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Arc::new(Calls::new()));
    let policy = Policy::new().ttl("1m").fail_safe("1d").wait("2s");
    let simulation = &world.simulation;
    let one = || async {
        let load = || slow(simulation, &calls);
        let load = a.cache.get_or_load("k", load).policy(policy);
        load.into_future().await.unwrap()
    };
    let many = || async {
        let load = async |keys: Vec<String>| {
            let number = slow(simulation, &calls).await?;
            Ok::<_, Oops>(keys.into_iter().map(|key| (key, number)).collect())
        };
        let load = a.cache.get_or_load_many(["k"], load).policy(policy);
        load.into_future().await.unwrap()["k"]
    };
    assert_eq!(world.wait(one()), 1);
    world.advance(seconds(90));
    let (leader, single, batch) = world.wait(async { tokio::join!(one(), one(), many()) });
    assert_eq!((leader, single, batch), (2, 1, 1));
    assert_eq!(calls.count(), 2, "nobody adds to the load of a slow source");
}

#[test]
fn a_strict_read_tells_what_the_store_says_and_others_do_not() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Calls::new());
    a.store.refuse();
    let load = || async { calls.call() };
    let strict = a.cache.get_or_load("k", load).ttl("1m").strict();
    let error = world.wait(strict.into_future()).unwrap_err();
    assert_eq!((error.kind(), calls.count()), (ErrorKind::Unavailable, 0));
    let forgiving = a.cache.get_or_load("k", load).ttl("1m");
    assert_eq!(world.wait(forgiving.into_future()).unwrap(), 1);
}

#[test]
fn who_waits_for_a_strict_read_is_told_at_once_with_it() {
    let world = World::new(1);
    let (a, simulation) = (world.node(), world.simulation.clone());
    a.store.suffer(
        larder::testing::Faults::none()
            .delay(seconds(2))
            .errors(1.0),
    );
    let began = simulation.sleep(seconds(0));
    world.wait(began);
    let trips = || {
        let load = || async { Ok::<u64, Oops>(1) };
        a.cache
            .get_or_load("k", load)
            .ttl("1m")
            .strict()
            .into_future()
    };
    let (x, y, z) = world.wait(async { tokio::join!(trips(), trips(), trips()) });
    assert!(x.is_err() && y.is_err() && z.is_err());
    assert_eq!(a.trips(), 1);
}

#[test]
fn many_keys_from_memory_the_store_and_the_source_are_two_round_trips() {
    let world = World::new(1);
    let (a, b, calls) = (world.hybrid("1h"), world.node(), Calls::new());
    world.wait(async {
        a.cache.set("here", &100_u64).ttl("1h").await.unwrap();
        b.cache.set("there", &200_u64).ttl("1h").await.unwrap();
        a.trips();
        let load = |keys: Vec<String>| {
            let loaded = answer(keys, &calls);
            async move { loaded }
        };
        let keys = ["here", "there", "new", "newer", "new"];
        let found = a
            .cache
            .get_or_load_many(keys, load)
            .ttl("1h")
            .await
            .unwrap();
        assert_eq!(
            (found["here"], found["there"], found["new"], found["newer"]),
            (100, 200, 1, 1)
        );
        assert_eq!((a.trips(), calls.count()), (2, 1));
        let found = b
            .cache
            .get_or_load_many(keys, load)
            .ttl("1h")
            .await
            .unwrap();
        assert_eq!((found.len(), b.trips(), calls.count()), (4, 2, 0));
        let found = a
            .cache
            .get_or_load_many(keys, load)
            .ttl("1h")
            .await
            .unwrap();
        assert_eq!((found.len(), a.trips()), (4, 0));
    });
}

#[test]
fn stale_keys_of_a_batch_are_loaded_anew() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Calls::new());
    let policy = Policy::new().ttl("1m").stale("1h");
    let get = || {
        let load = |keys: Vec<String>| {
            let loaded = answer(keys, &calls);
            async move { loaded }
        };
        let load = a.cache.get_or_load_many(["x", "y"], load).policy(policy);
        world.wait(load.into_future()).unwrap()["x"]
    };
    assert_eq!(get(), 1);
    world.advance(seconds(90));
    assert_eq!(get(), 2, "stale values are loaded within the call");
    world.advance(seconds(90));
    calls.fail();
    assert_eq!(get(), 2, "or stand in");
    assert_eq!((calls.count(), get(), calls.count()), (3, 2, 0));
}

#[test]
fn kept_keys_of_a_batch_stand_in_for_a_failing_source() {
    let world = World::new(1);
    let (a, b, calls) = (world.node(), world.node(), Calls::new());
    let policy = Policy::new().ttl("1m").fail_safe("1h");
    let get = |node: &crate::nodes::Node| {
        let load = |keys: Vec<String>| {
            let loaded = answer(keys, &calls);
            async move { loaded }
        };
        let load = node.cache.get_or_load_many(["x", "y"], load).policy(policy);
        world.wait(load.into_future())
    };
    get(&a).unwrap();
    world.advance(seconds(90));
    calls.fail();
    assert_eq!(get(&b).unwrap()["y"], 1);
    world.advance(seconds(3600));
    assert_eq!(get(&b).unwrap_err().kind(), ErrorKind::Source);
}

#[test]
fn a_batch_loads_what_another_node_loads_too_and_neither_harms_the_other() {
    let world = World::new(1);
    let (a, b, calls) = (world.node(), world.node(), Calls::new());
    let simulation = &world.simulation;
    let load = |keys: Vec<String>| {
        let (loaded, sleep) = (answer(keys, &calls), simulation.sleep(seconds(1)));
        async move {
            sleep.await;
            loaded
        }
    };
    world.wait(async {
        let of = |node: &crate::nodes::Node| {
            let cache = node.cache.clone();
            async move { cache.get_or_load_many(["x", "y"], load).ttl("1h").await }
        };
        let (x, y) = tokio::join!(of(&a), of(&b));
        assert!(x.is_ok() && y.is_ok());
        let kept = a.cache.get_many::<u64>(["x", "y"]).await.unwrap();
        assert!(kept.iter().all(Option::is_some), "{kept:?}");
    });
    assert_eq!(calls.count(), 2, "a flight is shared within a process only");
}

#[test]
fn calls_that_come_while_a_fill_is_on_its_way_look_for_themselves() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let simulation = world.simulation.clone();
    a.store
        .suffer(larder::testing::Faults::none().delay(seconds(4)));
    let calls = Calls::new();
    world.wait(async {
        let first = a.cache.get_or_load("k", || async { calls.call() });
        let rest = async {
            while a.cache.stats().loads == 0 {
                simulation.sleep(seconds(1) / 20).await;
            }
            // The fill travels: wherever it is, what is removed now must not be given to who asks after that.
            let mut given = Vec::new();
            while a.cache.stats().stored + a.cache.stats().superseded == 0 {
                b.cache.delete("k").await.unwrap();
                let second = a.cache.get_or_load("k", || async { calls.call() });
                given.push(second.ttl("1h").await.unwrap());
            }
            given
        };
        let (first, given) = tokio::join!(first.ttl("1h").into_future(), rest);
        assert_eq!(first.unwrap(), 1);
        assert!(given.iter().all(|value| *value > 1), "{given:?}");
    });
}

#[test]
fn what_stands_in_for_a_failure_is_not_for_who_asked_after_its_removal() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let simulation = &world.simulation;
    let policy = Policy::new().ttl("1m").fail_safe("1h");
    world.wait(async {
        b.cache.set("k", &1_u64).policy(policy).await.unwrap();
        simulation.sleep(seconds(90)).await;
        let load = || {
            let load = || async {
                simulation.sleep(seconds(5)).await;
                Err::<u64, _>(Oops)
            };
            a.cache.get_or_load("k", load).policy(policy).into_future()
        };
        let later = async {
            simulation.sleep(seconds(2)).await;
            b.cache.delete("k").await.unwrap();
            load().await
        };
        let (first, second) = tokio::join!(load(), later);
        assert_eq!(first.unwrap(), 1);
        assert_eq!(second.unwrap_err().kind(), ErrorKind::Source);
    });
}
