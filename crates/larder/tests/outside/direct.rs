//! Direct operations on a store.

use larder::{ErrorKind, Remaining};

use crate::nodes::{World, seconds};

#[test]
fn what_one_process_sets_another_gets() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    world.wait(async {
        assert!(a.cache.set("k", "Ada").ttl("1m").tags(["t"]).await.unwrap());
        assert_eq!(
            b.cache.get::<String>("k").await.unwrap().as_deref(),
            Some("Ada")
        );
        assert!(!b.cache.set("k", "Eve").ttl("1m").if_absent().await.unwrap());
        assert!(b.cache.exists("k").await.unwrap());
        assert!(!b.cache.exists("l").await.unwrap());
        assert_eq!(b.cache.scan("*").await.unwrap(), ["k"]);
        let left = b.cache.remaining_ttl("k").await.unwrap().unwrap();
        assert!(matches!(left, Remaining::For(left) if left > seconds(59) && left <= seconds(60)));
        assert!(b.cache.touch("k", "1h").await.unwrap());
        let left = a.cache.remaining_ttl("k").await.unwrap().unwrap();
        assert!(matches!(left, Remaining::For(left) if left > seconds(3599)));
        assert_eq!(
            a.cache.get::<String>("k").await.unwrap().as_deref(),
            Some("Ada")
        );
        b.cache.delete_tags(["t"]).await.unwrap();
        assert_eq!(a.cache.get::<String>("k").await.unwrap(), None);
        assert!(!a.cache.exists("k").await.unwrap());
    });
}

#[test]
fn processes_count_together() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    world.wait(async {
        assert_eq!(a.cache.increment("n", 2).ttl("1m").await.unwrap(), 2);
        assert_eq!(b.cache.increment("n", 3).ttl("1m").await.unwrap(), 5);
        assert_eq!(a.cache.get::<i64>("n").await.unwrap(), Some(5));
    });
}

#[test]
fn a_lock_is_held_by_one_process() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    world.wait(async {
        let lock = a.cache.lock("l").ttl("10s").await.unwrap();
        assert_eq!(
            b.cache.lock("l").await.unwrap_err().kind(),
            ErrorKind::Timeout
        );
        assert!(lock.is_held() && lock.fence() > 0);
        let fence = lock.fence();
        drop(lock);
        let lock = b.cache.lock("l").wait_for("5s").await.unwrap();
        assert!(lock.fence() > fence);
        assert!(lock.renew().await.unwrap());
    });
}

#[test]
fn many_keys_are_one_round_trip() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    world.wait(async {
        let entries = [("x", 1_u64), ("y", 2), ("z", 3)];
        assert_eq!(a.cache.set_many(entries).ttl("1m").await.unwrap(), 3);
        assert_eq!(a.trips(), 1);
        let got = b.cache.get_many::<u64>(["z", "none", "x"]).await.unwrap();
        assert_eq!((got, b.trips()), (vec![Some(3), None, Some(1)], 1));
        let loaded = b
            .cache
            .get_or_load_many(["x", "y", "w", "v"], |missing| async move {
                let load = |key: String| (key.clone(), 10 + key.len() as u64);
                Ok::<_, std::io::Error>(missing.into_iter().map(load).collect())
            })
            .ttl("1m")
            .await
            .unwrap();
        assert_eq!((loaded["x"], loaded["w"]), (1, 11));
        assert_eq!(b.trips(), 2);
        assert_eq!(a.cache.get::<u64>("v").await.unwrap(), Some(11));
        assert_eq!(a.cache.delete_prefix("").await.unwrap(), 5);
        assert_eq!(
            b.cache.get_many::<u64>(["x", "v"]).await.unwrap(),
            [None, None]
        );
    });
}
