//! Where guards stand, whatever they are: before the body, in the order in which they are written.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::guard::RateLimit;
use larder::transaction::Mode;
use larder::{Cache, Event, Reason, Refused, cached, rate_limit};

use crate::support::{Gate, World};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq)]
enum Oops {
    Refused(&'static str),
    Broken,
}

impl From<Refused> for Oops {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.guard())
    }
}

#[test]
fn an_async_function_refuses_beyond_its_limit() {
    #[rate_limit(cache = cache, limit = 2, per = "1m", key = "user:{id}")]
    async fn user(cache: &Cache, id: u64) -> Result<u64, Refused> {
        Ok(id)
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        assert_eq!(user(&cache, 7).await.unwrap(), 7);
        at.advance(MINUTE / 4);
        assert_eq!(user(&cache, 7).await.unwrap(), 7);
        let refused = user(&cache, 7).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Limited);
        assert_eq!(refused.comes_back(), Some(MINUTE / 4 * 3));
        assert_eq!(refused.key(), "rate_limit:user:7");
        assert_eq!(
            user(&cache, 8).await.unwrap(),
            8,
            "another key counts for itself"
        );
        at.advance(MINUTE / 4 * 3);
        assert!(user(&cache, 7).await.is_ok());
        assert!(user(&cache, 7).await.is_err());
        assert_eq!(cache.stats().refused, 2);
    });
}

#[test]
fn under_cached_only_misses_meet_the_guard() {
    #[cached(cache = cache, key = "user:{id}", ttl = "1m")]
    #[rate_limit(cache = cache, limit = 2, per = "1h")]
    fn user(cache: &Cache, id: u64) -> Result<u64, Oops> {
        let _ = cache;
        Ok(id)
    }

    let cache = Cache::builder().build().unwrap();
    for _ in 0..5 {
        assert_eq!(user(&cache, 1), Ok(1));
        assert_eq!(user(&cache, 2), Ok(2));
    }
    assert_eq!(user(&cache, 3), Err(Oops::Refused("rate_limit")));
    assert_eq!(cache.stats().load_failures, 0, "the source has not failed");
}

#[test]
fn a_guard_above_cached_stands_before_the_source_too() {
    #[rate_limit(cache = cache, limit = 1, per = "1h")]
    #[cached(cache = cache, key = "user:{id}", ttl = "1m")]
    fn user(cache: &Cache, id: u64) -> Result<u64, Oops> {
        let _ = cache;
        Ok(id)
    }

    let cache = Cache::builder().build().unwrap();
    assert_eq!(user(&cache, 1), Ok(1));
    assert_eq!(user(&cache, 1), Ok(1));
    assert!(user(&cache, 2).is_err());
}

#[test]
fn the_upper_guard_is_asked_first() {
    #[rate_limit(cache = cache, limit = 1, per = "1h", key = "outer")]
    #[rate_limit(cache = cache, limit = 2, per = "1h", key = "inner")]
    fn both(cache: &Cache) -> Result<(), Refused> {
        let _ = cache;
        Ok(())
    }

    let cache = Cache::builder().build().unwrap();
    assert!(both(&cache).is_ok());
    for _ in 0..3 {
        assert_eq!(both(&cache).unwrap_err().key(), "rate_limit:outer");
    }
    let inner = RateLimit::new(2, "1h");
    let call = || cache.guard(&inner, "inner", || async { Ok::<_, Refused>(()) });
    assert!(
        call().wait().is_ok(),
        "what the outer one refused has not reached the inner one"
    );
    assert!(call().wait().is_err());
}

#[test]
fn functions_without_a_key_do_not_share_their_counts() {
    #[cached(cache = cache, key = "a:{id}", ttl = "1m")]
    #[rate_limit(cache = cache, limit = 1, per = "1h")]
    fn a(cache: &Cache, id: u64) -> Result<u64, Refused> {
        let _ = cache;
        Ok(id)
    }

    #[cached(cache = cache, key = "b:{id}", ttl = "1m")]
    #[rate_limit(cache = cache, limit = 1, per = "1h")]
    fn b(cache: &Cache, id: u64) -> Result<u64, Refused> {
        let _ = cache;
        Ok(id)
    }

    let cache = Cache::builder().build().unwrap();
    assert!(a(&cache, 1).is_ok());
    assert!(b(&cache, 1).is_ok());
    assert!(a(&cache, 2).unwrap_err().key().ends_with("::a"));
    assert!(b(&cache, 2).unwrap_err().key().ends_with("::b"));
}

#[test]
fn a_refusal_is_not_kept_as_an_error() {
    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "user:{id}", ttl = "1m", errors = "1h")]
    #[rate_limit(cache = cache, limit = 1, per = "1m")]
    async fn user(cache: &Cache, id: u64) -> Result<u64, Oops> {
        let _ = cache;
        RUNS.fetch_add(1, Ordering::Relaxed);
        if id == 1 { Err(Oops::Broken) } else { Ok(id) }
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        assert_eq!(user(&cache, 1).await, Err(Oops::Broken));
        assert_eq!(user(&cache, 2).await, Err(Oops::Refused("rate_limit")));
        at.advance(MINUTE);
        assert_eq!(
            user(&cache, 1).await,
            Err(Oops::Broken),
            "the error of the source is kept"
        );
        assert_eq!(user(&cache, 2).await, Ok(2), "the refusal is not");
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    });
}

#[cached(cache = cache, key = "inner:{id}", ttl = "1m")]
#[rate_limit(cache = cache, limit = 1, per = "1m", key = "inner")]
async fn inner(cache: &Cache, id: u64) -> Result<u64, Oops> {
    let _ = cache;
    Ok(id)
}

#[cached(cache = cache, key = "outer:{id}", ttl = "1m", errors = "1h")]
async fn outer(cache: &Cache, id: u64) -> Result<u64, Oops> {
    inner(cache, id).await
}

const REFUSED: Result<u64, Oops> = Err(Oops::Refused("rate_limit"));

#[test]
fn a_refusal_in_a_cached_function_is_no_failure_of_who_called_it() {
    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        assert_eq!(outer(&cache, 1).await, Ok(1));
        assert_eq!(outer(&cache, 2).await, REFUSED);
        assert_eq!(cache.stats().load_failures, 0);
        at.advance(MINUTE);
        assert_eq!(outer(&cache, 2).await, Ok(2), "the refusal was not kept");
        let unread = larder::scope().off(larder::Operations::READ);
        let call = unread.wrap(outer(&cache, 3));
        assert_eq!(call.await, REFUSED);
        let inside = cache.transaction(Mode::Fast, |_| async {
            Ok::<_, larder::Error>(outer(&cache, 3).await)
        });
        assert_eq!(inside.await.unwrap(), REFUSED);
        assert_eq!(cache.stats().load_failures, 0);
        at.advance(MINUTE);
        assert_eq!(outer(&cache, 3).await, Ok(3));
    });
}

#[cached(cache = cache, key = "slow", ttl = "1m")]
async fn slow(cache: &Cache, gate: &Gate) -> Result<u64, Oops> {
    gate.pass().await;
    inner(cache, 0).await
}

#[cached(cache = cache, key = "waiting:{id}", ttl = "1m", errors = "1h")]
async fn waiting(cache: &Cache, gate: &Gate, id: u64) -> Result<u64, Oops> {
    let _ = id;
    slow(cache, gate).await
}

#[test]
fn who_waits_for_a_load_that_is_refused_is_refused_too() {
    let world = World::new();
    let (cache, gate) = (world.cache(), Gate::default());
    let used = cache.clone();
    assert_eq!(world.run(async move { inner(&used, 1).await }), Ok(1));
    let calls = [1, 2].map(|id| {
        let (cache, gate) = (cache.clone(), gate.clone());
        world.spawn(async move { waiting(&cache, &gate, id).await })
    });
    world.settle();
    gate.open();
    world.settle();
    assert_eq!(calls.map(|call| call.value()), [REFUSED; 2]);
    assert_eq!(cache.stats().coalesced, 1);
    assert_eq!(cache.stats().load_failures, 0);
}

#[test]
fn a_refusal_on_the_thread_of_a_load_is_one_for_its_caller_too() {
    #[cached(cache = cache, key = "inner:{id}", ttl = "1m", hard_timeout = "1m")]
    #[rate_limit(cache = cache, limit = 1, per = "1h")]
    fn inner(cache: &Cache, id: u64) -> Result<u64, Oops> {
        let _ = cache;
        Ok(id)
    }

    #[cached(cache = cache, key = "outer:{id}", ttl = "1m", errors = "1h")]
    fn outer(cache: &Cache, id: u64) -> Result<u64, Oops> {
        inner(cache, id)
    }

    let cache = Cache::builder().build().unwrap();
    assert_eq!(outer(&cache, 1), Ok(1));
    assert_eq!(outer(&cache, 2), REFUSED);
    assert_eq!(cache.stats().load_failures, 0);
}

#[test]
fn a_kept_entry_stands_in_for_a_refusal_and_is_not_throttled_by_it() {
    #[cached(cache = cache, key = "user", ttl = "10s", fail_safe = "1h", throttle = "30m")]
    #[rate_limit(cache = cache, limit = 1, per = "1m")]
    async fn user(cache: &Cache, now: u64) -> Result<u64, Oops> {
        let _ = cache;
        Ok(now)
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        assert_eq!(user(&cache, 1).await, Ok(1));
        at.advance(MINUTE / 2);
        assert_eq!(
            user(&cache, 2).await,
            Ok(1),
            "refused, and the kept value stands in"
        );
        at.advance(MINUTE / 2);
        assert_eq!(
            user(&cache, 3).await,
            Ok(3),
            "let through as soon as the guard does"
        );
    });
}

#[test]
fn a_reload_behind_that_is_refused_does_not_throttle_the_entry() {
    #[cached(cache = cache, key = "user", ttl = "10s", stale = "1h", throttle = "30m")]
    #[rate_limit(cache = cache, limit = 1, per = "1m")]
    async fn user(cache: Cache, now: u64) -> Result<u64, Oops> {
        let _ = cache;
        Ok(now)
    }

    let world = World::new();
    let cache = world.cache();
    let call = |now: u64| {
        let got = world.run(user(cache.clone(), now));
        world.settle();
        got
    };
    assert_eq!(call(1), Ok(1));
    world.advance(MINUTE / 2);
    assert_eq!(call(2), Ok(1), "the reload behind is refused");
    assert_eq!(cache.stats().refused, 1);
    world.advance(MINUTE / 2);
    assert_eq!(call(3), Ok(1), "the next reader asks the guard again");
    assert_eq!(call(4), Ok(3));
}

#[test]
fn a_refusal_is_an_event() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let cache = Cache::builder()
        .observer(move |event: &Event<'_>| {
            if let Event::Refused { refused, .. } = event {
                tell.lock().unwrap().push(refused.to_string());
            }
        })
        .build()
        .unwrap();
    let limit = RateLimit::new(1, "1m");
    let call = || {
        cache
            .guard(&limit, "k", || async { Ok::<_, Refused>(()) })
            .wait()
    };
    assert!(call().is_ok());
    assert!(call().is_err());
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with(
            "rate_limit `rate_limit:k`: the calls of this time are used up, try again in "
        ),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_future_may_move_between_threads() {
    struct Service(Cache);

    impl Service {
        #[rate_limit(cache = self.0, limit = 1, per = "1h")]
        async fn call(&self, by: &str) -> Result<String, larder::Error> {
            tokio::task::yield_now().await;
            Ok(by.to_owned())
        }
    }

    let service = Arc::new(Service(Cache::builder().build().unwrap()));
    let of = Arc::clone(&service);
    assert_eq!(
        tokio::spawn(async move { of.call("a").await })
            .await
            .unwrap()
            .unwrap(),
        "a"
    );
    let error = service.call("b").await.unwrap_err();
    let refused = error.source_as::<Refused>().unwrap();
    assert!(refused.key().contains("Service::call"), "{}", refused.key());
}
