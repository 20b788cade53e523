//! How a transaction ends, and what is left of it.

use std::sync::{Arc, Mutex};

use larder::transaction::Mode;
use larder::{Cache, ErrorKind, Event};

use crate::support::{Gate, Log, World, millis, secs};
use crate::{Done, Outsider, given_up, number};

async fn change(cache: &Cache) -> Done {
    cache.set("new", &2_u64).ttl("1m").await?;
    cache.delete("old").await?;
    assert_eq!(number(cache, "old").await, None);
    Ok(())
}

fn assert_unchanged(cache: &Cache) {
    let blocking = cache.blocking();
    assert_eq!(blocking.get::<u64>("new").unwrap(), None);
    assert_eq!(blocking.get::<u64>("old").unwrap(), Some(1));
    assert_eq!(cache.stats().committed, 0);
}

fn with_old(world: &World) -> (Cache, Log) {
    let log = Log::default();
    let cache = world.observed(log.clone());
    cache
        .blocking()
        .set("old", &1_u64)
        .ttl("1h")
        .wait()
        .unwrap();
    log.take();
    (cache, log)
}

#[test]
fn an_error_drops_all_changes() {
    let world = World::new();
    let (cache, log) = with_old(&world);
    let here = cache.clone();
    let failed: Done = world.run(async move {
        here.transaction(Mode::Fast, |_| async {
            change(&here).await?;
            Err(given_up())
        })
        .await
    });
    assert_eq!(failed.unwrap_err().to_string(), "test: given up");
    assert_unchanged(&cache);
    assert_eq!(log.count("RolledBack { changes: 2, error: None }"), 1);
    assert_eq!(cache.stats().rolled_back, 1);
}

#[test]
fn a_panic_drops_all_changes() {
    let world = World::new();
    let (cache, log) = with_old(&world);
    let here = cache.clone();
    let running = world.spawn(async move {
        here.transaction(Mode::Locked, |_| async {
            change(&here).await?;
            if here.name() != "another" {
                panic!("a bug");
            }
            Done::Ok(())
        })
        .await
    });
    world.settle();
    assert_eq!(running.panic(), "a bug");
    assert_unchanged(&cache);
    assert_eq!(log.count("RolledBack"), 1);
    let again: Done = cache
        .blocking()
        .transaction(Mode::Locked, |_| {
            cache
                .blocking()
                .set("old", &3_u64)
                .ttl("1m")
                .wait()
                .map(drop)
        })
        .wait();
    again.expect("the locks are free");
}

#[test]
fn a_dropped_future_drops_all_changes() {
    let world = World::new();
    let (cache, log) = with_old(&world);
    let here = cache.clone();
    let running = world.spawn(async move {
        here.transaction(Mode::Locked, |_| async {
            change(&here).await?;
            std::future::pending::<()>().await;
            Done::Ok(())
        })
        .await
    });
    world.settle();
    running.cancel();
    assert_unchanged(&cache);
    assert_eq!(log.count("RolledBack"), 1);
    assert!(!cache.blocking().is_locked("@transaction:new").unwrap());
}

#[test]
fn its_body_may_roll_it_back_and_succeed() {
    let world = World::new();
    let (cache, _) = with_old(&world);
    let here = cache.clone();
    let done = world.run(async move {
        let tried: Result<&str, larder::Error> = here
            .transaction(Mode::Fast, |tx| {
                let here = &here;
                async move {
                    change(here).await?;
                    tx.roll_back();
                    assert!(tx.is_rolled_back());
                    assert_eq!(number(here, "new").await, Some(2), "until the end");
                    Ok("tried")
                }
            })
            .await;
        tried
    });
    assert_eq!(done.unwrap(), "tried");
    assert_unchanged(&cache);
}

#[test]
fn what_takes_too_long_is_rolled_back_with_an_error() {
    let world = World::new();
    let (cache, log) = with_old(&world);
    let here = cache.clone();
    let running = world.spawn(async move {
        here.transaction(Mode::Fast, |tx| {
            let here = &here;
            async move {
                assert_eq!(tx.remaining(), millis(1_500));
                change(here).await?;
                std::future::pending::<Done>().await
            }
        })
        .timeout("1500ms")
        .await
    });
    world.advance(millis(1_499));
    assert!(!running.is_done());
    world.advance(millis(1));
    let error = running.value().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        "transaction: it took longer than 1.5s and is rolled back: do less in it, or give it more time with `timeout`"
    );
    assert_unchanged(&cache);
    assert_eq!(log.count("RolledBack { changes: 2, error: Some"), 1);
}

#[test]
fn a_sync_body_that_took_too_long_is_rolled_back_at_its_end() {
    let world = World::new();
    let (cache, _) = with_old(&world);
    let done: Done = cache
        .blocking()
        .transaction(Mode::Fast, |_| {
            larder::__private::wait(change(&cache))?;
            world.clock_on(secs(10));
            Ok(())
        })
        .wait();
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Timeout);
    assert_unchanged(&cache);
}

#[test]
fn time_limits_that_cannot_be_kept_are_refused_before_the_body_runs() {
    let cache = Cache::builder().build().unwrap();
    for limit in ["forever", "2d", "0s"] {
        let refused: Done = cache
            .blocking()
            .transaction(Mode::Fast, |_| panic!("the body ran"))
            .timeout(limit)
            .wait();
        assert_eq!(
            refused.unwrap_err().kind(),
            ErrorKind::InvalidPolicy,
            "{limit}"
        );
    }
}

#[test]
fn a_closed_cache_begins_no_transaction() {
    let cache = Cache::builder().build().unwrap();
    cache.blocking().close();
    let refused: Done = cache
        .blocking()
        .transaction(Mode::Fast, |_| panic!("the body ran"))
        .wait();
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn nothing_is_done_where_nothing_was_changed() {
    let world = World::new();
    let (cache, log) = with_old(&world);
    let here = cache.clone();
    let done: Done =
        world.run(async move { here.transaction(Mode::Fast, |_| async { Ok(()) }).await });
    done.unwrap();
    assert_eq!(log.take(), ["Committed { changes: 0 }"]);
}

#[test]
fn a_commit_tells_what_it_did_after_it_was_done() {
    let world = World::new();
    let (cache, log) = with_old(&world);
    let here = cache.clone();
    let done: Done = world.run(async move {
        here.transaction(Mode::Fast, |_| async {
            change(&here).await?;
            here.delete_tags(["t"]).await
        })
        .await
    });
    done.unwrap();
    let told = log.take();
    assert!(told.contains(&"stored new".to_owned()), "{told:?}");
    assert!(
        told.contains(&"invalidated Keys([\"old\"])".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"invalidated Tags([\"t\"])".to_owned()),
        "{told:?}"
    );
    assert_eq!(told.last().unwrap(), "Committed { changes: 3 }");
}

#[test]
fn a_scope_that_outlives_its_transaction_works_on_the_cache_itself() {
    let world = World::new();
    let cache = world.cache();
    let gate = Gate::default();
    let (here, pass, at) = (cache.clone(), gate.clone(), Arc::clone(&world));
    let left: Arc<Mutex<Option<_>>> = Arc::default();
    let kept = Arc::clone(&left);
    let done: Done = world.run(async move {
        here.transaction(Mode::Fast, |_| async {
            let late = {
                let here = here.clone();
                async move {
                    pass.pass().await;
                    here.set("late", &1_u64).ttl("1m").await.unwrap();
                }
            };
            // It has taken the scope of the transaction along.
            let task = at.spawn(larder::scope().wrap(late));
            *kept.lock().unwrap() = Some(task);
            Err(given_up())
        })
        .await
    });
    assert!(done.is_err());
    gate.open();
    world.settle();
    left.lock().unwrap().take().unwrap().value();
    assert_eq!(Outsider(cache).number("late"), Some(1));
}

#[test]
fn user_code_runs_under_no_lock() {
    /// Uses the cache when it is cloned and when it is dropped.
    struct Nosy(Cache);

    impl Clone for Nosy {
        fn clone(&self) -> Self {
            drop(self.0.blocking().exists("nosy"));
            Self(self.0.clone())
        }
    }

    impl Drop for Nosy {
        fn drop(&mut self) {
            drop(self.0.blocking().exists("nosy"));
            drop(self.0.blocking().scan("*"));
        }
    }

    let observed: Arc<Mutex<Option<Cache>>> = Arc::default();
    let in_observer = Arc::clone(&observed);
    let world = World::new();
    let cache = world.observed(move |_: &Event<'_>| {
        let cache = in_observer.lock().unwrap().take();
        if let Some(cache) = cache {
            drop(cache.blocking().exists("nosy"));
            *in_observer.lock().unwrap() = Some(cache);
        }
    });
    *observed.lock().unwrap() = Some(cache.clone());
    let local = cache.local();
    for _ in 0..2 {
        let done: Done = cache
            .blocking()
            .transaction(Mode::Locked, |_| {
                local.set("nosy", &Nosy(cache.clone())).ttl("1m").wait()?;
                local.set("nosy", &Nosy(cache.clone())).ttl("1m").wait()?;
                local.set("other", &Nosy(cache.clone())).ttl("1m").wait()?;
                cache.blocking().delete("other")?;
                local
                    .set("tagged", &Nosy(cache.clone()))
                    .ttl("1m")
                    .tags(["t"])
                    .wait()?;
                cache.blocking().delete_tags(["t"])?;
                cache.blocking().delete_prefix("x")?;
                Ok(())
            })
            .wait();
        done.unwrap();
    }
    *observed.lock().unwrap() = None;
    cache.blocking().clear().unwrap();
}
