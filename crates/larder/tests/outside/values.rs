//! Writing, counting, locking, and the lives of entries in a store.

use std::future::IntoFuture;

use larder::store::Store;
use larder::{ErrorKind, Remaining};

use crate::nodes::{Calls, Oops, World, seconds};

#[test]
fn a_set_is_conditional_on_what_the_store_has() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.hybrid("1h"));
    world.wait(async {
        assert!(
            !b.cache
                .set("k", &1_u64)
                .ttl("1h")
                .if_present()
                .await
                .unwrap()
        );
        assert!(
            a.cache
                .set("k", &2_u64)
                .ttl("1h")
                .if_absent()
                .await
                .unwrap()
        );
        assert!(
            !b.cache
                .set("k", &3_u64)
                .ttl("1h")
                .if_absent()
                .await
                .unwrap()
        );
        assert_eq!(b.cache.get::<u64>("k").await.unwrap(), Some(2));
        assert!(
            b.cache
                .set("k", &4_u64)
                .ttl("1h")
                .if_present()
                .await
                .unwrap()
        );
        assert_eq!(a.cache.get::<u64>("k").await.unwrap(), Some(4));
    });
}

#[test]
fn a_set_ends_the_loads_of_all_processes() {
    let world = World::new(1);
    let (a, b) = (world.hybrid("1h"), world.node());
    let simulation = world.simulation.clone();
    world.wait(async {
        let load = a.cache.get_or_load("k", || async {
            simulation.sleep(seconds(5)).await;
            Ok::<_, Oops>(1_u64)
        });
        let set = async {
            simulation.sleep(seconds(1)).await;
            b.cache.set("k", &2_u64).ttl("1h").await.unwrap();
        };
        let (loaded, ()) = tokio::join!(load.ttl("1h").into_future(), set);
        assert_eq!(loaded.unwrap(), 1);
        assert_eq!(a.cache.get::<u64>("k").await.unwrap(), Some(2));
    });
}

#[test]
fn a_load_may_take_as_long_as_its_policy_allows() {
    let world = World::new(1);
    let (a, simulation) = (world.node(), world.simulation.clone());
    let policy = larder::Policy::new().ttl("1h").load_limit("5m");
    world.wait(async {
        let load = a.cache.get_or_load("k", || async {
            simulation.sleep(seconds(240)).await;
            Ok::<_, Oops>(1_u64)
        });
        load.policy(policy).await.unwrap();
        assert_eq!(a.cache.get::<u64>("k").await.unwrap(), Some(1));
    });
}

#[test]
fn touch_moves_the_end_of_what_is_alive_and_of_nothing_else() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    world.wait(async {
        let touched = async |key| b.cache.touch(key, "1h").await.unwrap();
        assert!(!touched("none").await);
        a.cache
            .set("k", &1_u64)
            .ttl("1m")
            .tags(["t"])
            .await
            .unwrap();
        assert!(touched("k").await);
        world.simulation.sleep(seconds(1800)).await;
        assert_eq!(
            a.cache.get::<u64>("k").await.unwrap(),
            Some(1),
            "with its tags"
        );
        b.cache.delete_tags(["t"]).await.unwrap();
        assert!(!touched("k").await, "forgotten by tag");
        assert!(!a.cache.exists("k").await.unwrap());
        assert_eq!(a.cache.remaining_ttl("k").await.unwrap(), None);
        a.cache.set("k", &1_u64).ttl("1m").await.unwrap();
        world.simulation.sleep(seconds(60)).await;
        assert!(!touched("k").await, "expired");
    });
}

#[test]
fn a_life_without_end_is_told_as_such() {
    let world = World::new(1);
    let a = world.node();
    world.wait(async {
        a.cache
            .set("k", &1_u64)
            .ttl("forever")
            .tags(["t"])
            .await
            .unwrap();
        world.simulation.sleep(seconds(86_400 * 400)).await;
        assert_eq!(
            a.cache.remaining_ttl("k").await.unwrap(),
            Some(Remaining::Forever)
        );
        assert_eq!(a.cache.get::<u64>("k").await.unwrap(), Some(1));
    });
}

#[test]
fn what_is_kept_for_failures_only_does_not_exist() {
    let world = World::new(1);
    let a = world.node();
    let policy = larder::Policy::new().ttl("1m").fail_safe("1h");
    world.wait(async {
        a.cache.set("k", &1_u64).policy(policy).await.unwrap();
        world.simulation.sleep(seconds(90)).await;
        assert!(!a.cache.exists("k").await.unwrap());
        assert_eq!(a.cache.get::<u64>("k").await.unwrap(), None);
        let left = a.cache.remaining_ttl("k").await.unwrap();
        assert!(matches!(left, Some(Remaining::For(left)) if left > seconds(3000)));
    });
}

#[test]
fn a_counter_needs_a_ttl_once_and_keeps_it() {
    let world = World::new(1);
    let (a, b) = (world.hybrid("1h"), world.node());
    world.wait(async {
        let none = a.cache.increment("n", 1).await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::InvalidPolicy);
        assert_eq!(a.cache.increment("n", 5).ttl("1m").await.unwrap(), 5);
        assert_eq!(b.cache.increment("n", -2).await.unwrap(), 3);
        assert_eq!(b.cache.increment("n", 0).ttl("1h").await.unwrap(), 3);
        let left = a.cache.remaining_ttl("n").await.unwrap();
        assert!(matches!(left, Some(Remaining::For(left)) if left <= seconds(60)));
        assert!(a.cache.exists("n").await.unwrap());
        a.cache.set("text", "Ada").ttl("1h").await.unwrap();
        let wrong = b.cache.increment("text", 1).ttl("1h").await.unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::WrongType);
        let over = b.cache.increment("n", i64::MAX).ttl("1h").await;
        assert!(over.is_err());
        world.simulation.sleep(seconds(60)).await;
        assert_eq!(b.cache.increment("n", 1).ttl("1m").await.unwrap(), 1);
    });
}

#[test]
fn a_lock_is_waited_for_renewed_and_lost() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let simulation = world.simulation.clone();
    world.wait(async {
        let lock = a.cache.lock("l").ttl("10s").await.unwrap();
        assert!(b.cache.is_locked("l").await.unwrap());
        let waited = async {
            let began = simulation.sleep(seconds(0));
            began.await;
            b.cache.lock("l").wait_for("30s").await
        };
        let renewed = async {
            simulation.sleep(seconds(8)).await;
            assert!(lock.renew().await.unwrap());
            simulation.sleep(seconds(8)).await;
            assert!(lock.is_held(), "renewed");
            drop(lock);
        };
        let (other, ()) = tokio::join!(waited, renewed);
        let other = other.unwrap();
        assert!(!a.cache.unlock("l", 77).await.unwrap(), "not the owner");
        assert!(a.cache.unlock("l", other.owner()).await.unwrap());
        let third = a.cache.lock("l").ttl("1h").await.unwrap();
        assert!(!other.renew().await.unwrap(), "lost");
        assert!(!other.is_held());
        drop(other);
        simulation.sleep(seconds(1)).await;
        assert!(
            a.cache.is_locked("l").await.unwrap(),
            "what is lost gives nothing back"
        );
        assert!(third.is_held());
        simulation.sleep(seconds(3600)).await;
        assert!(!third.is_held(), "its time is over");
        assert!(b.cache.lock("l").await.is_ok());
    });
}

#[test]
fn a_tagged_read_does_not_make_tags_live_for_ever() {
    let world = World::new(1);
    let (a, calls) = (world.node(), Calls::new());
    world.wait(async {
        a.cache
            .set("k", &calls.next())
            .ttl("1m")
            .tags(["t"])
            .await
            .unwrap();
        a.cache.get::<u64>("k").await.unwrap();
        let version = async || {
            let versions = a.store.tag_versions(&["larder:t"], Some(seconds(1)));
            versions.await.unwrap().versions
        };
        let before = version().await;
        world.simulation.sleep(seconds(3600)).await;
        assert_ne!(version().await, before);
    });
}
