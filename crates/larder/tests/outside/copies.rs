//! Copies in memory of what a store holds.

use std::future::IntoFuture;

use larder::testing::Faults;
use larder::{Policy, cached};

use crate::nodes::{Calls, Oops, World, seconds};

#[test]
fn a_copy_ends_by_when_the_store_was_asked() {
    let world = World::new(1);
    let (a, b) = (world.hybrid("10s"), world.node());
    let simulation = world.simulation.clone();
    world.wait(async {
        let slow = || async {
            simulation.sleep(seconds(8)).await;
            Ok::<_, Oops>(1_u64)
        };
        a.cache
            .get_or_load("k", slow)
            .ttl("1h")
            .tags(["t"])
            .await
            .unwrap();
        b.cache.delete_tags(["t"]).await.unwrap();
    });
    world.advance(seconds(2));
    assert_eq!(world.wait(a.cache.get::<u64>("k")).unwrap(), None);
}

#[test]
fn an_entry_that_others_have_removed_gets_no_new_life_from_its_copy() {
    let world = World::new(1);
    let (a, b) = (world.hybrid("10s"), world.node());
    world.wait(async {
        a.cache.set("k", &1_u64).ttl("1m").await.unwrap();
        b.cache.delete("k").await.unwrap();
        assert!(!a.cache.touch("k", "1h").await.unwrap());
    });
    world.advance(seconds(10));
    assert_eq!(world.wait(a.cache.get::<u64>("k")).unwrap(), None);
}

#[test]
fn a_shorter_life_holds_for_the_copy_at_once() {
    let world = World::new(1);
    let a = world.hybrid("1m");
    world.wait(async {
        a.cache.set("k", &1_u64).ttl("1h").await.unwrap();
        assert!(a.cache.touch("k", "5s").await.unwrap());
    });
    world.advance(seconds(5));
    assert_eq!(world.wait(a.cache.get::<u64>("k")).unwrap(), None);
}

#[test]
fn a_touch_leaves_the_load_in_progress_its_lease() {
    let world = World::new(1);
    let (a, simulation) = (world.hybrid("1m"), world.simulation.clone());
    world.wait(async {
        a.cache.set("k", &1_u64).ttl("1h").await.unwrap();
        let slow = || async {
            simulation.sleep(seconds(5)).await;
            Ok::<_, Oops>(2_u64)
        };
        let policy = Policy::new().failover();
        let load = a.cache.get_or_load("l", slow).ttl("1h").policy(policy);
        let touch = async {
            simulation.sleep(seconds(1)).await;
            a.cache.touch("l", "1h").await.unwrap();
        };
        let (loaded, ()) = tokio::join!(load.into_future(), touch);
        assert_eq!(loaded.unwrap(), 2);
    });
    assert_eq!(a.cache.stats().superseded, 0);
}

static LIMITED: Calls = Calls::new();

#[cached(key = "limited", ttl = "1h", hits = 3)]
async fn limited() -> Result<u64, Oops> {
    LIMITED.call()
}

#[test]
fn hits_are_counted_across_copies_of_one_entry() {
    let world = World::new(1);
    let a = world.hybrid("10s");
    let get = || world.wait(a.run(limited())).unwrap();
    assert_eq!((get(), get(), get()), (1, 1, 1));
    world.advance(seconds(11));
    assert_eq!(get(), 1, "the third hit, from the store again");
    assert_eq!(get(), 2);
    assert_eq!(LIMITED.count(), 2);
}

static SAFE: Calls = Calls::new();

#[cached(key = "safe-copy", ttl = "1m", fail_safe = "1h", throttle = "30s")]
async fn safe() -> Result<u64, Oops> {
    SAFE.call()
}

#[test]
fn a_failing_source_is_left_alone_for_longer_than_the_copy_lives() {
    let world = World::new(1);
    let a = world.hybrid("5s");
    let get = || world.wait(a.run(safe())).unwrap();
    assert_eq!(get(), 1);
    world.advance(seconds(90));
    SAFE.count();
    SAFE.fail();
    assert_eq!((get(), SAFE.count()), (1, 1));
    world.advance(seconds(20));
    assert_eq!((get(), SAFE.count()), (1, 0));
    world.advance(seconds(11));
    assert_eq!((get(), SAFE.count()), (1, 1));
}

#[test]
fn what_a_node_invalidates_it_does_not_serve_by_whatever_selector() {
    let world = World::new(1);
    let (a, b) = (world.hybrid("1h"), world.hybrid("1h"));
    world.wait(async {
        for what in 0..6 {
            let set = b.cache.set("user:1", &what).ttl("1h").tags(["users"]);
            set.await.unwrap();
            a.cache.invalidate(larder::Selector::All).await.unwrap();
            b.cache
                .set("user:1", &what)
                .ttl("1h")
                .tags(["users"])
                .await
                .unwrap();
            assert_eq!(a.cache.get::<i32>("user:1").await.unwrap(), Some(what));
            let cache = &a.cache;
            match what {
                0 => drop(cache.delete("user:1").await.unwrap()),
                1 => drop(cache.delete_many(["user:1"]).await.unwrap()),
                2 => drop(cache.delete_prefix("user:").await.unwrap()),
                3 => drop(cache.delete_pattern("us*:[0-9]").await.unwrap()),
                4 => cache.delete_tags(["users"]).await.unwrap(),
                _ => cache.clear().await.unwrap(),
            }
            assert_eq!(a.cache.get::<i32>("user:1").await.unwrap(), None, "{what}");
            assert_eq!(
                b.cache.get::<i32>("user:1").await.unwrap(),
                Some(what),
                "its bound"
            );
            b.cache.clear().await.unwrap();
        }
    });
}

#[test]
fn a_copy_costs_no_round_trip_for_any_kind_of_read() {
    let world = World::new(1);
    let a = world.hybrid("1m");
    world.wait(async {
        a.cache.set("k", &7_u64).ttl("1h").await.unwrap();
        a.trips();
        assert_eq!(a.cache.get::<u64>("k").await.unwrap(), Some(7));
        assert_eq!(a.cache.get_many::<u64>(["k"]).await.unwrap(), [Some(7)]);
        assert!(a.cache.exists("k").await.unwrap());
        let load = || async { Err::<u64, _>(Oops) };
        assert_eq!(a.cache.get_or_load("k", load).ttl("1h").await.unwrap(), 7);
    });
    assert_eq!(a.trips(), 0);
}

#[test]
fn of_two_writes_at_once_memory_keeps_neither() {
    let mut kept = [false; 2];
    for seed in 0..50 {
        let world = World::new(seed);
        let (a, b) = (world.hybrid("1h"), world.node());
        a.store.suffer(Faults::none().delay(seconds(1)));
        let found = world.wait(async {
            let set = |value: u64| a.cache.set("k", &value).ttl("1h").into_future();
            let (x, y) = tokio::join!(set(0), set(1));
            assert!(x.unwrap() && y.unwrap());
            let here = a.cache.get::<u64>("k").await.unwrap().unwrap();
            assert_eq!(b.cache.get::<u64>("k").await.unwrap(), Some(here));
            here
        });
        kept[usize::try_from(found).unwrap()] = true;
    }
    assert_eq!(kept, [true; 2], "either may come last");
}

#[cached(key = "user:{id}", ttl = "1h")]
async fn user(id: u64) -> u64 {
    id
}

#[test]
fn a_copy_of_what_the_store_held_before_takes_no_place_of_a_newer_fill() {
    for seed in 0..200 {
        let world = World::new(seed);
        let (a, b) = (world.hybrid("1h"), world.node());
        let simulation = world.simulation.clone();
        world.wait(async {
            b.cache.set("user:7", &1_u64).ttl("1h").await.unwrap();
            a.store.suffer(Faults::none().delay(seconds(1)));
            let read = async {
                simulation.sleep(seconds(1)).await;
                a.cache.get::<u64>("user:7").await.unwrap();
            };
            let (made, ()) = tokio::join!(a.run(user::refresh(7)), read);
            assert_eq!(made, 7);
            let kept = a.cache.get::<u64>("user:7").await.unwrap();
            assert_eq!(kept, Some(7), "seed {seed}");
        });
    }
}
