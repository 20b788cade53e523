//! Modes that keep others away, within one process.

use larder::transaction::Mode;
use larder::{Cache, Error, ErrorKind};

use crate::support::{Gate, Log, Running, World, millis, secs};
use crate::{Done, given_up};

/// Begins a transaction that takes these keys one after the other, at a gate after the first, and adds to each.
fn moving(
    world: &World,
    cache: &Cache,
    mode: Mode,
    keys: [&'static str; 2],
    gate: &Gate,
) -> Running<Done> {
    let (cache, gate) = (cache.clone(), gate.clone());
    let running = world.spawn(async move {
        cache
            .transaction(mode, |_| async {
                for (at, key) in keys.into_iter().enumerate() {
                    let before = cache.get::<u64>(key).await?.unwrap_or_default();
                    cache.set(key, &(before + 1)).ttl("1h").await?;
                    if at == 0 {
                        gate.pass().await;
                    }
                }
                Ok(())
            })
            .await
    });
    world.settle();
    running
}

#[test]
fn what_one_has_read_or_written_the_next_waits_for() {
    for mode in [Mode::Locked, Mode::Serializable] {
        let world = World::new();
        let cache = world.cache();
        let gate = Gate::default();
        let one = moving(&world, &cache, mode, ["a", "b"], &gate);
        let two = moving(&world, &cache, mode, ["a", "b"], &gate);
        assert!(!one.is_done() && !two.is_done());
        gate.open();
        world.settle();
        one.value().unwrap();
        two.value().unwrap();
        for key in ["a", "b"] {
            let sum = cache.blocking().get::<u64>(key).unwrap();
            assert_eq!(sum, Some(2), "{mode:?}: nothing is lost");
        }
    }
}

#[test]
fn without_locks_the_later_commit_wins() {
    let world = World::new();
    let cache = world.cache();
    let gate = Gate::default();
    let one = moving(&world, &cache, Mode::Fast, ["a", "b"], &gate);
    let two = moving(&world, &cache, Mode::Fast, ["a", "b"], &gate);
    gate.open();
    world.settle();
    one.value().unwrap();
    two.value().unwrap();
    assert_eq!(cache.blocking().get::<u64>("a").unwrap(), Some(1));
}

#[test]
fn two_that_wait_for_each_other_do_not_do_so_for_long() {
    let world = World::new();
    let cache = world.cache();
    let gate = Gate::default();
    let up = moving(&world, &cache, Mode::Locked, ["a", "b"], &gate);
    let down = moving(&world, &cache, Mode::Locked, ["b", "a"], &gate);
    gate.open();
    world.settle();
    assert!(!up.is_done() && !down.is_done());
    world.advance(secs(1));
    let error = down.value().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(
        error.to_string(),
        "transaction `a`: another transaction holds the lock, and may be waiting for one of this one's: run this one again, and use keys in one order everywhere (ascending is never refused early)"
    );
    up.value().unwrap();
    assert_eq!(cache.blocking().get::<u64>("b").unwrap(), Some(1));
}

#[test]
fn who_waits_in_order_waits_until_its_own_time_is_over() {
    let world = World::new();
    let cache = world.cache();
    let lock = cache
        .blocking()
        .lock("@transaction:a")
        .ttl("1h")
        .wait()
        .unwrap();
    let two = moving(&world, &cache, Mode::Locked, ["a", "b"], &Gate::default());
    world.advance(millis(9_999));
    assert!(!two.is_done());
    world.advance(millis(1));
    let error = two.value().unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::Conflict | ErrorKind::Timeout
    ));
    drop(lock);
}

#[test]
fn one_that_did_not_get_a_lock_is_not_committed_whatever_its_body_makes_of_it() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    let _lock = cache
        .blocking()
        .lock("@transaction:taken")
        .ttl("1h")
        .wait()
        .unwrap();
    let here = cache.clone();
    let running = world.spawn(async move {
        here.transaction(Mode::Locked, |_| async {
            here.set("z", &1_u64).ttl("1m").await?;
            assert!(here.delete("taken").await.is_err());
            Done::Ok(())
        })
        .await
    });
    world.advance(secs(1));
    assert_eq!(running.value().unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(cache.blocking().get::<u64>("z").unwrap(), None);
    assert_eq!(log.count("RolledBack { changes: 1, error: Some"), 1);
}

#[test]
fn a_lock_that_was_lost_before_the_commit_refuses_it() {
    for mode in [Mode::Locked, Mode::Serializable] {
        let world = World::new();
        world.set_random(41);
        let cache = world.cache();
        let here = cache.clone();
        let done: Done = world.run(async move {
            here.transaction(mode, |_| async {
                here.set("k", &1_u64).ttl("1m").await?;
                for name in ["@transaction", "@transaction:k"] {
                    here.unlock(name, 41).await?;
                }
                Ok(())
            })
            .await
        });
        let error = done.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{mode:?}");
        assert!(
            error.to_string().starts_with("commit `@transaction"),
            "{error}"
        );
        assert_eq!(cache.blocking().get::<u64>("k").unwrap(), None);
    }
}

#[test]
fn locks_are_free_after_every_end() {
    let world = World::new();
    let cache = world.cache();
    let here = cache.clone();
    world.run(async move {
        for mode in [Mode::Locked, Mode::Serializable] {
            for fails in [true, false] {
                let done: Done = here
                    .transaction(mode, |_| async {
                        here.set("k", &1_u64).ttl("1m").await?;
                        if fails { Err(given_up()) } else { Ok(()) }
                    })
                    .await;
                assert_eq!(done.is_err(), fails);
                for name in ["@transaction", "@transaction:k"] {
                    assert!(!here.is_locked(name).await.unwrap());
                }
            }
        }
    });
}

#[test]
fn tasks_of_one_transaction_share_its_locks() {
    let world = World::new();
    let cache = world.cache();
    let here = cache.clone();
    let done: Done = world.run(async move {
        here.transaction(Mode::Locked, |_| async {
            let writes = (0..10_u64).map(|n| {
                let here = &here;
                async move { here.set("k", &n).ttl("1m").await }
            });
            for written in futures_util::future::join_all(writes).await {
                assert!(written?);
            }
            Ok(())
        })
        .await
    });
    done.unwrap();
    assert!(cache.blocking().get::<u64>("k").unwrap().is_some());
}

#[test]
fn threads_that_read_and_write_one_number_lose_nothing() {
    for mode in [Mode::Locked, Mode::Serializable] {
        let cache = Cache::builder().build().unwrap();
        let add = |cache: Cache| {
            move || {
                let blocking = cache.blocking();
                for _ in 0..50 {
                    let done: Result<(), Error> = blocking
                        .transaction(mode, |_| {
                            let before = blocking.get::<u64>("n")?.unwrap_or_default();
                            std::thread::yield_now();
                            blocking.set("n", &(before + 1)).ttl("1h").wait().map(drop)
                        })
                        .wait();
                    done.unwrap();
                }
            }
        };
        let threads: Vec<_> = (0..6)
            .map(|_| std::thread::spawn(add(cache.clone())))
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        assert_eq!(
            cache.blocking().get::<u64>("n").unwrap(),
            Some(300),
            "{mode:?}"
        );
    }
}

#[test]
fn two_commits_never_leave_a_mixture() {
    let cache = Cache::builder().build().unwrap();
    let write = |cache: Cache, mine: u64| {
        move || {
            let blocking = cache.blocking();
            for _ in 0..300 {
                let done: Done = blocking
                    .transaction(Mode::Fast, |_| {
                        let all = (0..40).map(|n| (format!("k:{n}"), mine));
                        blocking.set_many(all).ttl("1h").wait().map(drop)
                    })
                    .wait();
                done.unwrap();
            }
        }
    };
    let threads: Vec<_> = (0..4)
        .map(|mine| std::thread::spawn(write(cache.clone(), mine)))
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let all = (0..40).map(|n| {
        cache
            .blocking()
            .get::<u64>(format!("k:{n}"))
            .unwrap()
            .unwrap()
    });
    let all: Vec<u64> = all.collect();
    assert!(all.iter().all(|value| *value == all[0]), "{all:?}");
}
