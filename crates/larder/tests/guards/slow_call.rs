//! Slow calls: a source that has become slow against its own history is left alone for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::guard::SlowCall;
use larder::{Cache, Reason, Refused, cached, slow_call};

use crate::support::{Log, World, millis, secs};

#[derive(Clone, Debug, PartialEq)]
enum Oops {
    Refused(Reason),
    Broken,
}

impl From<Refused> for Oops {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.reason())
    }
}

/// A call that takes so long, of virtual time.
fn take(
    world: &Arc<World>,
    cache: &Cache,
    judge: &SlowCall,
    time: Duration,
) -> Result<(), Refused> {
    let at = Arc::clone(world);
    let body = || async move {
        at.clock_on(time);
        Ok(())
    };
    cache.guard(judge, "k", body).wait()
}

#[test]
fn a_call_much_slower_than_those_before_it_ends_the_patience() {
    #[slow_call(cache = cache, factor = 2, window = 4, for = "1m")]
    async fn search(cache: &Cache, world: &Arc<World>, time: Duration) -> Result<(), Refused> {
        let _ = cache;
        world.clock_on(time);
        Ok(())
    }

    let world = World::new();
    let log = Log::default();
    let (cache, at) = (world.observed(log.clone()), Arc::clone(&world));
    world.run(async move {
        for time in [90, 110, 80, 120] {
            search(&cache, &at, millis(time)).await.unwrap();
        }
        search(&cache, &at, millis(200)).await.unwrap();
        // 110, 80, 120, 200: the mean is 127.5.
        search(&cache, &at, millis(255)).await.unwrap();
        // 80, 120, 200, 255: the mean is 163.75.
        log.take();
        search(&cache, &at, millis(328))
            .await
            .expect("the slow one itself has its value");
        let told = log.take();
        assert_eq!(told.len(), 1, "{told:?}");
        for part in [
            "SlowCall",
            "slow_call:",
            "::search",
            "took: 328ms",
            "usual: 163.75ms",
            "rest: 60s",
        ] {
            assert!(told[0].contains(part), "{told:?} without {part}");
        }
        let refused = search(&cache, &at, millis(1)).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Slow);
        assert_eq!(refused.comes_back(), Some(secs(60)));
        at.clock_on(secs(60) - Duration::from_nanos(1));
        assert!(search(&cache, &at, millis(1)).await.is_err(), "not before");
        at.clock_on(Duration::from_nanos(1));
        // It begins anew: nobody knows what is usual.
        for _ in 0..4 {
            search(&cache, &at, secs(9)).await.unwrap();
        }
        search(&cache, &at, secs(17)).await.unwrap();
        assert!(search(&cache, &at, millis(1)).await.is_ok());
    });
}

#[test]
fn a_sync_function_is_judged_the_same() {
    #[slow_call(cache = cache, factor = 1.5, window = 2, for = "30s", key = "shard:{shard}")]
    fn read(cache: &Cache, shard: u32, world: &World, time: u64) -> Result<u32, larder::Error> {
        let _ = cache;
        world.clock_on(millis(time));
        Ok(shard)
    }

    let world = World::new();
    let cache = world.cache();
    for time in [100, 100, 151] {
        assert_eq!(read(&cache, 1, &world, time).unwrap(), 1);
    }
    let error = read(&cache, 1, &world, 1).unwrap_err();
    let refused = error.source_as::<Refused>().unwrap();
    assert_eq!(
        (refused.reason(), refused.key()),
        (Reason::Slow, "slow_call:shard:1")
    );
    assert!(
        read(&cache, 2, &world, 1).is_ok(),
        "another key has its own history"
    );
}

#[test]
fn nothing_is_refused_before_the_window_is_full() {
    let world = World::new();
    let cache = world.cache();
    let judge = SlowCall::new("1m").window(3);
    for time in [1, 1_000, 100_000, 100_000] {
        assert!(take(&world, &cache, &judge, millis(time)).is_ok());
    }
}

/// A clock that moves in steps shows calls of no time, and now and then one of a whole step.
#[test]
fn a_history_of_no_time_at_all_refuses_nothing_that_is_quick() {
    let world = World::new();
    let cache = world.cache();
    let judge = SlowCall::new("1m");
    for call in 0..200 {
        let time = if call % 20 == 19 { 10 } else { 0 };
        assert!(take(&world, &cache, &judge, millis(time)).is_ok());
    }
    assert!(
        take(&world, &cache, &judge, millis(20)).is_ok(),
        "20 ms is not slow"
    );
    assert!(take(&world, &cache, &judge, millis(21)).is_ok());
    assert!(
        take(&world, &cache, &judge, millis(0)).is_err(),
        "21 ms was"
    );
}

#[test]
fn the_floor_is_a_knob() {
    let world = World::new();
    let cache = world.cache();
    let judge = SlowCall::new("1m").window(1).min("1s");
    for time in [1, 1_000, 1, 1_000, 1] {
        assert!(take(&world, &cache, &judge, millis(time)).is_ok());
    }
    assert!(take(&world, &cache, &judge, millis(1_001)).is_ok());
    assert!(take(&world, &cache, &judge, millis(1)).is_err());
}

#[test]
fn failures_are_judged_and_not_remembered() {
    #[slow_call(cache = cache, window = 2, for = "1m")]
    async fn call(
        cache: &Cache,
        world: &Arc<World>,
        time: u64,
        answer: Result<(), Oops>,
    ) -> Result<(), Oops> {
        let _ = cache;
        world.clock_on(millis(time));
        answer
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        call(&cache, &at, 500, Ok(())).await.unwrap();
        call(&cache, &at, 500, Ok(())).await.unwrap();
        for _ in 0..5 {
            let broken = call(&cache, &at, 1, Err(Oops::Broken)).await;
            assert_eq!(broken, Err(Oops::Broken));
        }
        let fine = call(&cache, &at, 900, Ok(())).await;
        assert_eq!(fine, Ok(()), "quick failures have not made it look slow");
        let late = call(&cache, &at, 5_000, Err(Oops::Broken)).await;
        assert_eq!(late, Err(Oops::Broken), "its own error");
        let refused = call(&cache, &at, 1, Ok(())).await;
        assert_eq!(refused, Err(Oops::Refused(Reason::Slow)));
    });
}

#[test]
fn errors_that_are_no_failures_are_remembered() {
    #[slow_call(cache = cache, window = 2, for = "1m", exceptions = |error: &Oops| *error != Oops::Broken)]
    fn call(cache: &Cache, world: &World, time: u64) -> Result<(), Oops> {
        let _ = cache;
        world.clock_on(millis(time));
        Err(Oops::Broken)
    }

    let world = World::new();
    let cache = world.cache();
    for time in [100, 100, 201] {
        assert_eq!(call(&cache, &world, time), Err(Oops::Broken));
    }
    let refused = Err(Oops::Refused(Reason::Slow));
    assert_eq!(call(&cache, &world, 1), refused);
}

#[test]
fn a_dropped_call_and_a_panic_say_nothing() {
    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    let judge = SlowCall::new("1m").window(1);
    assert!(take(&world, &cache, &judge, millis(100)).is_ok());
    let of = cache.clone();
    let call = world.spawn(async move {
        let body = || std::future::pending::<Result<(), Refused>>();
        of.guard(&judge, "k", body).await
    });
    world.advance(secs(100));
    drop(call);
    world.settle();
    let body = || async move {
        at.clock_on(secs(100));
        assert!(std::hint::black_box(false), "the body panics");
        Ok::<_, Refused>(())
    };
    let panics = || cache.guard(&judge, "k", body).wait();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    assert!(take(&world, &cache, &judge, millis(200)).is_ok());
    assert!(take(&world, &cache, &judge, millis(201)).is_ok());
}

#[test]
fn calls_that_began_before_the_rest_do_not_spoil_the_new_history() {
    let world = World::new();
    let cache = world.cache();
    let judge = SlowCall::new("10s").window(1).factor(2);
    assert!(take(&world, &cache, &judge, millis(100)).is_ok());
    // Three that hang together: one of them ends the patience, the others change nothing.
    let hang = |time: Duration| {
        let (cache, clock) = (cache.clone(), Arc::clone(&world));
        world.spawn(async move {
            let body = || async move {
                larder::runtime::Runtime::sleep(&*clock, time).await;
                Ok::<_, Refused>(())
            };
            cache.guard(&judge, "k", body).await
        })
    };
    let calls = [secs(1), secs(5), secs(30)].map(hang);
    world.advance(secs(5));
    let refused = take(&world, &cache, &judge, millis(1)).unwrap_err();
    assert_eq!(refused.comes_back(), Some(secs(6)), "it is not prolonged");
    world.advance(secs(6));
    assert!(take(&world, &cache, &judge, millis(100)).is_ok());
    world.advance(secs(30));
    assert!(calls.into_iter().all(|call| call.value().is_ok()));
    assert!(
        take(&world, &cache, &judge, millis(201)).is_ok(),
        "100 ms are usual"
    );
    assert!(take(&world, &cache, &judge, millis(1)).is_err());
}

#[test]
fn a_kept_value_stands_in_while_the_source_rests() {
    static TOOK: AtomicU64 = AtomicU64::new(100);

    #[cached(cache = cache, key = "price", ttl = "1s", fail_safe = "1h")]
    #[slow_call(cache = cache, window = 2, for = "1m")]
    async fn price(cache: &Cache, world: &Arc<World>) -> Result<u64, Oops> {
        let _ = cache;
        let took = TOOK.load(Ordering::Relaxed);
        world.clock_on(millis(took));
        Ok(took)
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        for took in [100, 100, 900] {
            TOOK.store(took, Ordering::Relaxed);
            assert_eq!(price(&cache, &at).await, Ok(took));
            at.clock_on(secs(1));
        }
        TOOK.store(100, Ordering::Relaxed);
        assert_eq!(price(&cache, &at).await, Ok(900), "kept");
        assert_eq!(cache.stats().refused, 1);
        at.clock_on(secs(59));
        assert_eq!(price(&cache, &at).await, Ok(100));
    });
}

#[test]
fn knobs_out_of_range_refuse_and_say_how_to_mend_them() {
    let world = World::new();
    let cache = world.cache();
    let mend = [
        (SlowCall::new("0s"), "cannot be zero"),
        (SlowCall::new("forever"), "give a span"),
        (SlowCall::new("1m").factor(1), "above 1"),
        (SlowCall::new("1m").factor(f64::NAN), "above 1"),
        (SlowCall::new("1m").factor(f64::INFINITY), "above 1"),
        (SlowCall::new("1m").window(0), "from 1 to 4096"),
        (SlowCall::new("1m").window(4_097), "from 1 to 4096"),
        (SlowCall::new("1m").min("forever"), "give a span"),
    ];
    for (judge, text) in mend {
        let refused = take(&world, &cache, &judge, millis(1)).unwrap_err();
        assert_eq!(refused.reason(), Reason::Misconfigured);
        assert!(refused.to_string().contains(text), "{refused}");
    }
    let absurd = SlowCall::new("36500d")
        .factor(f64::MAX)
        .window(4_096)
        .min("36500d");
    for _ in 0..5_000 {
        assert!(take(&world, &cache, &absurd, secs(100_000)).is_ok());
    }
}

#[test]
fn keys_that_nobody_calls_any_more_are_forgotten() {
    let world = World::new();
    let cache = world.cache();
    let judge = SlowCall::new("1m").window(1);
    assert!(take(&world, &cache, &judge, millis(1)).is_ok());
    world.advance(secs(3_601));
    for key in 0..2_000 {
        let call = cache.guard(&judge, &*format!("other:{key}"), || async {
            Ok::<_, Refused>(())
        });
        assert!(call.wait().is_ok());
    }
    // Nothing is usual any more, so nothing is slow.
    assert!(take(&world, &cache, &judge, secs(1)).is_ok());
    assert!(take(&world, &cache, &judge, millis(1)).is_ok());
}
