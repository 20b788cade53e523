//! Rate limits: how each window counts, what a ban does, and what happens when the store does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder::guard::{Outage, RateLimit, Window};
use larder::runtime::Runtime;
use larder::store::{Guarded, Store};
use larder::testing::MemoryStore;
use larder::{Cache, Reason, Refused, cached, rate_limit};

use crate::support::{Log, World, millis, secs};

const MINUTE: Duration = secs(60);

async fn ask(cache: &Cache, limit: &RateLimit, key: &str) -> Result<(), Refused> {
    cache.guard(limit, key, || async { Ok(()) }).await
}

/// What a call is told: nothing, or why and for how long not.
async fn told(cache: &Cache, limit: &RateLimit, key: &str) -> Option<(Reason, Duration)> {
    let refused = ask(cache, limit, key).await.err()?;
    Some((refused.reason(), refused.comes_back().unwrap_or_default()))
}

/// A cache without a store, and one with a store that is bounded in time, each with the connection to it.
fn grounds(world: &Arc<World>) -> [(Cache, Option<MemoryStore>); 2] {
    let runtime = Arc::clone(world) as Arc<dyn Runtime>;
    let place = MemoryStore::new(Arc::clone(&runtime));
    let store = Guarded::builder(Arc::new(place.clone()), runtime).timeout(secs(1));
    let store: Arc<dyn Store> = Arc::new(store.build());
    let shared = world.builder().store(store).build().unwrap();
    [(world.cache(), None), (shared, Some(place))]
}

#[test]
fn a_fixed_window_begins_with_the_first_call_and_ends_at_once() {
    let world = World::new();
    for (cache, _) in grounds(&world) {
        let at = Arc::clone(&world);
        world.run(async move {
            at.clock_on(secs(17));
            let limit = RateLimit::new(2, "1m").window(Window::Fixed);
            assert_eq!(told(&cache, &limit, "k").await, None);
            at.clock_on(secs(50));
            assert_eq!(told(&cache, &limit, "k").await, None);
            let refused = Some((Reason::Limited, secs(10)));
            assert_eq!(told(&cache, &limit, "k").await, refused);
            at.clock_on(secs(10) - Duration::from_nanos(1));
            assert!(told(&cache, &limit, "k").await.is_some(), "not before");
            at.clock_on(Duration::from_nanos(1));
            assert_eq!(told(&cache, &limit, "k").await, None);
            assert_eq!(told(&cache, &limit, "k").await, None, "both at once");
            let refused = Some((Reason::Limited, MINUTE));
            assert_eq!(told(&cache, &limit, "k").await, refused);
        });
    }
}

#[test]
fn a_sliding_window_never_holds_more_than_the_limit() {
    let world = World::new();
    for (cache, _) in grounds(&world) {
        let at = Arc::clone(&world);
        world.run(async move {
            let limit = RateLimit::new(2, "1m");
            assert_eq!(told(&cache, &limit, "k").await, None);
            at.clock_on(secs(50));
            assert_eq!(told(&cache, &limit, "k").await, None);
            let refused = Some((Reason::Limited, secs(10)));
            assert_eq!(told(&cache, &limit, "k").await, refused);
            at.clock_on(secs(10));
            assert_eq!(told(&cache, &limit, "k").await, None, "the first has left");
            let refused = Some((Reason::Limited, secs(50)));
            assert_eq!(told(&cache, &limit, "k").await, refused);
        });
    }
}

#[test]
fn gcra_lets_the_limit_through_at_once_and_then_one_after_the_other() {
    let world = World::new();
    for (cache, _) in grounds(&world) {
        let at = Arc::clone(&world);
        world.run(async move {
            let limit = RateLimit::new(4, "1m").window(Window::Gcra);
            for _ in 0..4 {
                assert_eq!(told(&cache, &limit, "k").await, None);
            }
            at.clock_on(secs(5));
            let refused = Some((Reason::Limited, secs(10)));
            assert_eq!(told(&cache, &limit, "k").await, refused);
            at.clock_on(secs(10));
            assert_eq!(told(&cache, &limit, "k").await, None);
            let refused = Some((Reason::Limited, secs(15)));
            assert_eq!(told(&cache, &limit, "k").await, refused);
            at.clock_on(MINUTE);
            for _ in 0..4 {
                assert_eq!(told(&cache, &limit, "k").await, None, "all of it is back");
            }
            assert!(told(&cache, &limit, "k").await.is_some());
        });
    }
}

/// `1m / 7` is no whole number of nanoseconds: what is rounded must not add up.
#[test]
fn gcra_loses_nothing_to_rounding() {
    let world = World::new();
    for (cache, _) in grounds(&world) {
        let at = Arc::clone(&world);
        world.run(async move {
            let limit = RateLimit::new(7, "1m").window(Window::Gcra);
            let began = at.now();
            let mut passed = 0;
            while at.now().since(began) < MINUTE * 1_000 {
                match told(&cache, &limit, "k").await {
                    None => passed += 1,
                    Some((_, wait)) => at.clock_on(wait),
                }
            }
            assert_eq!(passed, 7 + 7 * 1_000 - 1, "the burst, and seven a minute");
        });
    }
}

#[test]
fn what_a_refusal_says_is_exactly_when_one_more_fits() {
    let world = World::new();
    for (cache, _) in grounds(&world) {
        let at = Arc::clone(&world);
        world.run(async move {
            for window in [Window::Fixed, Window::Sliding, Window::Gcra] {
                let limit = RateLimit::new(3, "7s").window(window);
                let mut refusals = 0;
                for step in 0..200_u64 {
                    at.clock_on(millis(step * 37 % 1_900));
                    let Some((_, wait)) = told(&cache, &limit, "k").await else {
                        continue;
                    };
                    refusals += 1;
                    at.clock_on(wait - Duration::from_nanos(1));
                    let still = Some((Reason::Limited, Duration::from_nanos(1)));
                    assert_eq!(told(&cache, &limit, "k").await, still, "{window:?}");
                    at.clock_on(Duration::from_nanos(1));
                    assert_eq!(told(&cache, &limit, "k").await, None, "{window:?}");
                }
                assert!(refusals > 20, "{window:?}: {refusals}");
            }
        });
    }
}

#[test]
fn a_ban_keeps_a_key_out_from_its_first_call_too_many() {
    #[rate_limit(cache = cache, limit = 1, per = "1m", ban = "10m", key = "login:{ip}")]
    async fn login(cache: &Cache, ip: &str) -> Result<usize, Refused> {
        let _ = cache;
        Ok(ip.len())
    }

    let world = World::new();
    for (cache, _) in grounds(&world) {
        let at = Arc::clone(&world);
        world.run(async move {
            assert!(login(&cache, "a").await.is_ok());
            at.clock_on(secs(59));
            let refused = login(&cache, "a").await.unwrap_err();
            assert_eq!(refused.reason(), Reason::Banned);
            assert_eq!(refused.comes_back(), Some(MINUTE * 10));
            for _ in 0..5 {
                at.clock_on(MINUTE);
                assert!(login(&cache, "a").await.is_err(), "within the ban");
            }
            let refused = login(&cache, "a").await.unwrap_err();
            let left = Some(MINUTE * 5);
            assert_eq!(refused.comes_back(), left, "it is not prolonged");
            assert!(login(&cache, "b").await.is_ok(), "another key");
            at.clock_on(MINUTE * 5);
            assert!(login(&cache, "a").await.is_ok());
        });
    }
}

#[test]
fn a_ban_that_is_shorter_than_the_window_says_when_one_more_fits() {
    let world = World::new();
    for (cache, _) in grounds(&world) {
        let at = Arc::clone(&world);
        world.run(async move {
            let limit = RateLimit::new(1, "1m").ban("10s");
            assert_eq!(told(&cache, &limit, "k").await, None);
            let refused = Some((Reason::Banned, MINUTE));
            assert_eq!(told(&cache, &limit, "k").await, refused);
            at.clock_on(secs(55));
            let refused = Some((Reason::Banned, secs(10)));
            assert_eq!(told(&cache, &limit, "k").await, refused, "over once more");
            at.clock_on(secs(10));
            assert_eq!(told(&cache, &limit, "k").await, None);
        });
    }
}

#[test]
fn two_limits_stand_on_each_other() {
    #[rate_limit(cache = cache, limit = 2, per = "1s", key = "api:{user}")]
    #[rate_limit(cache = cache, limit = 3, per = "1m", key = "api:{user}")]
    fn api(cache: &Cache, user: u32) -> Result<u32, Refused> {
        let _ = cache;
        Ok(user)
    }

    let world = World::new();
    let cache = world.cache();
    assert!(api(&cache, 1).is_ok());
    assert!(api(&cache, 1).is_ok());
    let refused = api(&cache, 1).unwrap_err();
    assert_eq!(refused.comes_back(), Some(secs(1)), "two a second");
    world.advance(secs(1));
    assert!(api(&cache, 1).is_ok(), "a call counts once for each limit");
    let refused = api(&cache, 1).unwrap_err();
    assert_eq!(refused.comes_back(), Some(secs(59)), "three a minute");
}

#[test]
fn a_limit_may_depend_on_the_arguments() {
    #[derive(Clone, Copy)]
    struct Plan {
        calls: u64,
    }

    #[rate_limit(cache = cache, limit = plan.calls, per = Duration::from_secs(60), key = "{user}")]
    async fn call(cache: &Cache, user: &str, plan: Plan) -> Result<usize, Refused> {
        let _ = (cache, plan);
        Ok(user.len())
    }

    let cache = World::new().cache();
    World::new().run(async move {
        let (free, paid) = (Plan { calls: 1 }, Plan { calls: 3 });
        assert!(call(&cache, "ada", free).await.is_ok());
        assert!(call(&cache, "ada", free).await.is_err());
        for _ in 1..3 {
            assert!(call(&cache, "ada", paid).await.is_ok(), "she has paid");
        }
        assert!(call(&cache, "ada", paid).await.is_err());
        let refused = call(&cache, "bob", Plan { calls: 0 }).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Misconfigured, "{refused}");
    });
}

#[test]
fn a_limit_may_be_a_field_of_the_service_and_stand_below_cached() {
    struct Service {
        cache: Cache,
        calls: u64,
    }

    impl Service {
        #[cached(cache = self.cache, key = "page:{id}", ttl = "1h")]
        #[rate_limit(cache = self.cache, limit = self.calls, per = "1m", window = Window::Gcra, key = "pages")]
        async fn page(&self, id: u32) -> Result<u32, larder::Error> {
            Ok(id)
        }

        #[cached(cache = self.cache, key = "row:{id}", ttl = "1h")]
        #[rate_limit(cache = self.cache, limit = self.calls + extra, per = "1m", key = "rows:{extra}")]
        fn row(&self, id: u32, extra: u64) -> Result<u32, larder::Error> {
            let _ = extra;
            Ok(id)
        }
    }

    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        let service = Service { cache, calls: 2 };
        for id in [1, 2, 1, 2] {
            assert_eq!(service.page(id).await.unwrap(), id);
        }
        assert!(service.page(3).await.is_err());
        for id in 0..3 {
            assert_eq!(service.row(id, 1).unwrap(), id);
        }
        assert!(service.row(3, 1).is_err());
    });
}

#[test]
fn a_kept_value_stands_in_for_a_refusal_of_a_sync_function() {
    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "rate", ttl = "10s", fail_safe = "1h")]
    #[rate_limit(cache = cache, limit = 1, per = "1m", window = "gcra")]
    fn rate(cache: &Cache) -> Result<u32, larder::Error> {
        let _ = cache;
        Ok(RUNS.fetch_add(1, Ordering::Relaxed))
    }

    let world = World::new();
    let cache = world.cache();
    assert_eq!(rate(&cache).unwrap(), 0);
    world.advance(secs(30));
    assert_eq!(rate(&cache).unwrap(), 0, "kept");
    world.advance(secs(30));
    assert_eq!(rate(&cache).unwrap(), 1);
    assert_eq!(cache.stats().saved, 1);
}

#[test]
fn calls_at_the_same_instant_on_many_threads_are_exactly_the_limit() {
    let cache = Cache::builder().build().unwrap();
    for window in [Window::Fixed, Window::Sliding, Window::Gcra] {
        let limit = RateLimit::new(100, "1h").window(window);
        let passed = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let call = cache.guard(&limit, "k", || async { Ok::<_, Refused>(()) });
                        passed.fetch_add(u32::from(call.wait().is_ok()), Ordering::Relaxed);
                    }
                });
            }
        });
        let passed = passed.into_inner();
        assert_eq!(passed, 100, "{window:?}");
    }
}

#[test]
fn a_dropped_call_leaves_at_most_its_count() {
    let world = World::new();
    for (cache, _) in grounds(&world) {
        let at = Arc::clone(&world);
        world.run(async move {
            let limit = RateLimit::new(2, "1m");
            let hangs = || std::future::pending::<Result<(), Refused>>();
            let call = cache.guard(&limit, "k", hangs).into_future();
            let mut call = Box::pin(call);
            for _ in 0..3 {
                std::future::poll_fn(|context| {
                    let _ = call.as_mut().poll(context);
                    std::task::Poll::Ready(())
                })
                .await;
            }
            drop(call);
            assert_eq!(told(&cache, &limit, "k").await, None);
            at.clock_on(MINUTE);
            assert_eq!(told(&cache, &limit, "k").await, None);
        });
    }
}

#[test]
fn a_panic_of_the_body_leaves_the_guard_as_it_was() {
    let cache = World::new().cache();
    let limit = RateLimit::new(2, "1m");
    let panics = cache.guard(&limit, "k", || async {
        assert!(std::hint::black_box(false), "the body panics");
        Ok::<_, Refused>(())
    });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panics.wait()));
    assert!(caught.is_err());
    let call = || {
        cache
            .guard(&limit, "k", || async { Ok::<_, Refused>(()) })
            .wait()
    };
    assert!(call().is_ok());
    assert!(call().is_err(), "the call that panicked was counted");
}

#[test]
fn a_store_that_refuses_is_an_event_and_open_lets_through() {
    let world = World::new();
    let place = MemoryStore::new(Arc::clone(&world) as _);
    let log = Log::default();
    let cache = world
        .builder()
        .store(Arc::new(place.clone()))
        .observer(log.clone());
    let cache = cache.build().unwrap();
    let events = log.clone();
    world.run(async move {
        let limit = RateLimit::new(1, "1m");
        assert_eq!(told(&cache, &limit, "k").await, None);
        place.refuse();
        assert_eq!(told(&cache, &limit, "k").await, None, "open");
        let told_of = events.take();
        let failed = |text: &String| text.contains("GuardFailed") && text.contains("outage: Open");
        assert!(told_of.iter().any(failed), "{told_of:?}");
        let closed = limit.on_outage(Outage::Closed);
        let refused = ask(&cache, &closed, "k").await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Unavailable);
        assert!(std::error::Error::source(&refused).is_some(), "and why");
        place.heal();
        let refused = Some((Reason::Limited, MINUTE));
        assert_eq!(told(&cache, &limit, "k").await, refused, "counted again");
    });
}

#[test]
fn a_store_that_hangs_costs_its_time_limit_and_no_more() {
    let world = World::new();
    let [_, (cache, place)] = grounds(&world);
    let place = place.unwrap();
    place.cut();
    for outage in [Outage::Open, Outage::Closed] {
        let cache = cache.clone();
        let running = world.spawn(async move {
            let limit = RateLimit::new(1, "1m").on_outage(outage);
            ask(&cache, &limit, "k").await
        });
        world.advance(secs(1));
        let answered = running.value();
        match outage {
            Outage::Open => assert!(answered.is_ok()),
            Outage::Closed => {
                assert_eq!(answered.unwrap_err().reason(), Reason::Unavailable);
            }
        }
    }
}

#[test]
fn a_store_that_lost_its_counts_begins_anew() {
    let world = World::new();
    let [_, (cache, place)] = grounds(&world);
    let place = place.unwrap();
    world.run(async move {
        let limit = RateLimit::new(1, "1h").ban("1h");
        assert_eq!(told(&cache, &limit, "k").await, None);
        assert!(told(&cache, &limit, "k").await.is_some());
        place.crash();
        assert_eq!(told(&cache, &limit, "k").await, None);
    });
}

#[test]
fn knobs_out_of_range_refuse_and_say_how_to_mend_them() {
    let cache = World::new().cache();
    let why = |limit: RateLimit| {
        let call = cache.guard(&limit, "k", || async { Ok::<_, Refused>(()) });
        let refused = call.wait().unwrap_err();
        assert_eq!(refused.reason(), Reason::Misconfigured);
        refused.to_string()
    };
    let mend = [
        (RateLimit::new(0, "1m"), "at least one call"),
        (RateLimit::new(1, "0s"), "cannot be zero"),
        (RateLimit::new(1, "soon"), "starts with a number"),
        (RateLimit::new(1, "forever"), "give a span"),
        (RateLimit::new(1, Duration::MAX), "give a span"),
        (RateLimit::new(1, "1m").ban("forever"), "give a span"),
        (RateLimit::new(1, "1m").ban("0s"), "cannot be zero"),
        (RateLimit::new(65_537, "1m"), "window = \"gcra\""),
    ];
    for (limit, text) in mend {
        let why = why(limit);
        assert!(why.contains(text), "{why}");
    }
    for window in [Window::Gcra, Window::Fixed] {
        let huge = RateLimit::new(u64::MAX, "1ms").window(window);
        let call = cache.guard(&huge, "huge", || async { Ok::<_, Refused>(()) });
        assert!(
            call.wait().is_ok(),
            "{window:?} counts as far as numbers go"
        );
    }
}

#[test]
fn clearing_the_cache_leaves_what_was_counted() {
    let world = World::new();
    for (cache, _) in grounds(&world) {
        world.run(async move {
            let limit = RateLimit::new(1, "1m");
            assert_eq!(told(&cache, &limit, "k").await, None);
            cache.clear().await.unwrap();
            assert!(told(&cache, &limit, "k").await.is_some());
        });
    }
}
