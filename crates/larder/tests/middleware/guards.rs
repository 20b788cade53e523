//! Guards of a cache whose middleware names keys otherwise.

use larder::guard::{Bloom, CircuitBreaker, CircuitState, Locked, RateLimit};
use larder::middleware::{Lowercase, Prefix};
use larder::{Cache, Reason, Refused, circuit_breaker, rate_limit};

fn caches() -> Vec<Cache> {
    let own = || Cache::builder().prefix("own:");
    let built = [
        own().build(),
        own().middleware(Prefix::new("eu:")).build(),
        own().middleware(Lowercase).build(),
        own()
            .middleware(Lowercase)
            .middleware(Prefix::new("eu:"))
            .build(),
    ];
    let whole = built.into_iter().map(Result::unwrap);
    whole
        .flat_map(|cache| [cache.scoped("Shop:"), cache])
        .collect()
}

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

#[test]
fn a_filter_holds_for_its_guard_what_was_added_to_it() {
    for cache in caches() {
        let users = Bloom::new("users", 100, "1%");
        users.add(&cache, "Ada").wait().unwrap();
        users.add_many(&cache, ["Grace"]).wait().unwrap();
        users.ready(&cache).wait().unwrap();
        let call = |key| {
            let load = || async { Ok::<_, Refused>(()) };
            cache.guard(&users, key, load).wait()
        };
        assert!(call("Ada").is_ok() && call("Grace").is_ok());
        assert_eq!(call("Nobody").unwrap_err().reason(), Reason::Absent);
        assert!(users.may_contain(&cache, "Ada").wait().unwrap());
        assert!(!users.may_contain(&cache, "Nobody").wait().unwrap());
    }
}

#[test]
fn a_circuit_is_found_under_the_key_of_its_calls() {
    #[circuit_breaker(cache = cache, errors = "50%", per = "1m", open_for = "30s", min_calls = 1, key = "Host:{host}")]
    fn fetch(cache: &Cache, host: &str) -> Result<(), Oops> {
        let _ = (cache, host);
        Err(Oops::Down)
    }

    for cache in caches() {
        assert_eq!(fetch(&cache, "a"), Err(Oops::Down));
        assert_eq!(CircuitBreaker::state(&cache, "Host:a"), CircuitState::Open);
        let breaker = CircuitBreaker::new("50%", "1m", "30s").min_calls(1);
        let call = || async { Err::<(), _>(Oops::Down) };
        assert_eq!(cache.guard(&breaker, "Mail", call).wait(), Err(Oops::Down));
        assert_eq!(CircuitBreaker::state(&cache, "Mail"), CircuitState::Open);
        let again = cache.guard(&breaker, "Host:a", call).wait();
        assert_eq!(again, Err(Oops::Refused(Reason::Open)), "one circuit");
    }
}

#[test]
fn the_lock_of_a_guard_is_found_under_its_name() {
    for cache in caches() {
        let one = Locked::new("10s");
        let job = || async { Ok::<_, Refused>(cache.is_locked("locked:Job").await.unwrap()) };
        assert!(cache.guard(&one, "Job", job).wait().unwrap());
        assert!(!cache.blocking().is_locked("locked:Job").unwrap());
    }
}

#[test]
fn an_attribute_and_a_direct_call_count_together() {
    #[rate_limit(cache = cache, limit = 2, per = "1h", key = "Login:{ip}")]
    fn login(cache: &Cache, ip: &str) -> Result<(), Refused> {
        let _ = (cache, ip);
        Ok(())
    }

    for cache in caches() {
        let limit = RateLimit::new(2, "1h");
        let call = || async { Ok::<_, Refused>(()) };
        login(&cache, "Me").unwrap();
        cache.guard(&limit, "Login:Me", call).wait().unwrap();
        assert!(login(&cache, "Me").is_err());
        assert!(cache.guard(&limit, "Login:Me", call).wait().is_err());
    }
}
