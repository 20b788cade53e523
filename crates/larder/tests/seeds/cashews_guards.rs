//! cashews 2.3: what stands before the source. The rest is in `cashews.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use larder::{Cache, Reason, Refused, circuit_breaker, locked, rate_limit, slow_call};

use crate::support::{Gate, World, secs};
use crate::{on_redis, redis};

#[derive(Debug, PartialEq)]
enum Oops {
    Refused(Reason),
    Down,
}

impl From<Refused> for Oops {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.reason())
    }
}

/// "Rate limit": no more than 10 calls per minute, or a ban for 10 minutes.
#[test]
fn a_rate_limit_with_a_ban() {
    #[rate_limit(cache = cache, limit = 10, per = "1m", ban = "10m", key = "get:{name}")]
    async fn get(cache: &Cache, name: &str) -> Result<String, Oops> {
        let _ = cache;
        Ok(name.to_owned())
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        for _ in 0..10 {
            assert!(get(&cache, "a").await.is_ok());
        }
        assert_eq!(get(&cache, "a").await, Err(Oops::Refused(Reason::Banned)));
        assert!(get(&cache, "b").await.is_ok(), "another key");
        at.advance(secs(599));
        assert_eq!(get(&cache, "a").await, Err(Oops::Refused(Reason::Banned)));
        at.advance(secs(1));
        assert!(get(&cache, "a").await.is_ok());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_on_redis() {
    #[rate_limit(cache = cache, limit = 3, per = "1h", key = "get")]
    async fn get(cache: &Cache) -> Result<u64, Oops> {
        let _ = cache;
        Ok(7)
    }

    let server = redis::alone();
    let caches = [on_redis(&server, ""), on_redis(&server, "")];
    let mut admitted = 0;
    for n in 0..10 {
        admitted += u32::from(get(&caches[n % 2]).await.is_ok());
    }
    assert_eq!(admitted, 3, "two processes count together");
}

/// "Circuit breaker": `errors_rate=10, period=1m, ttl=5m`.
#[test]
fn a_circuit_breaker() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[circuit_breaker(cache = cache, errors = "10%", per = "1m", open_for = "5m", min_calls = 10)]
    async fn get(cache: &Cache, works: bool) -> Result<u64, Oops> {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        if works { Ok(7) } else { Err(Oops::Down) }
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        for _ in 0..9 {
            assert_eq!(get(&cache, true).await, Ok(7));
        }
        assert_eq!(get(&cache, false).await, Err(Oops::Down));
        assert_eq!(
            get(&cache, true).await,
            Err(Oops::Refused(Reason::Open)),
            "one of ten"
        );
        assert_eq!(CALLS.load(Ordering::Relaxed), 10);
        at.advance(secs(300));
        assert_eq!(get(&cache, true).await, Ok(7), "tried again");
    });
}

/// "Locked": following calls wait until the first one is finished.
#[test]
fn a_locked_function() {
    static INSIDE: AtomicU32 = AtomicU32::new(0);

    #[locked(cache = cache, ttl = "10m", wait = "1h", key = "get:{name}")]
    async fn get(cache: Cache, name: String, gate: Gate) -> Result<u32, Oops> {
        let _ = (&cache, &name);
        let inside = INSIDE.fetch_add(1, Ordering::SeqCst) + 1;
        gate.pass().await;
        INSIDE.fetch_sub(1, Ordering::SeqCst);
        Ok(inside)
    }

    let world = World::new();
    let cache = world.cache();
    let gate = Gate::default();
    let calls: Vec<_> = (0..3)
        .map(|_| world.spawn(get(cache.clone(), "a".into(), gate.clone())))
        .collect();
    let open = gate.clone();
    world.run(async move { open.open() });
    for call in calls {
        assert_eq!(call.value(), Ok(1), "never two inside");
    }
}

/// "Performance downgrade detection"
#[test]
fn a_performance_downgrade() {
    #[slow_call(cache = cache, factor = 2, window = 10, for = "2h")]
    async fn get(cache: &Cache, world: &World, takes: u64) -> Result<u64, Oops> {
        let _ = cache;
        world.advance(secs(takes));
        Ok(takes)
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        for _ in 0..10 {
            assert_eq!(get(&cache, &at, 1).await, Ok(1));
        }
        assert_eq!(
            get(&cache, &at, 3).await,
            Ok(3),
            "it is the call that shows it"
        );
        assert_eq!(get(&cache, &at, 1).await, Err(Oops::Refused(Reason::Slow)));
        at.advance(secs(2 * 3_600));
        assert_eq!(get(&cache, &at, 1).await, Ok(1));
    });
}
