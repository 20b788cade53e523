//! `#[transactional]` beside other attributes, and many times at once.

use larder::transaction::Mode;
use larder::{Cache, Error, cached, invalidates, rate_limit, transactional};

use crate::support::{Gate, World};
use crate::{Outsider, given_up, number};

#[test]
fn one_decorated_function_may_run_many_times_at_once() {
    let world = World::new();
    let cache = world.cache();
    let gate = Gate::default();

    #[transactional(cache = cache)]
    async fn write(cache: &Cache, gate: Gate, n: u64) -> Result<u64, Error> {
        cache.set(format!("k:{n}"), &n).ttl("1m").await?;
        for other in 0..50 {
            let seen = number(cache, &format!("k:{other}")).await;
            assert_eq!(seen, (other == n).then_some(n), "each sees its own");
        }
        gate.pass().await;
        if n.is_multiple_of(2) {
            Ok(n)
        } else {
            Err(given_up())
        }
    }

    let running: Vec<_> = (0..50)
        .map(|n| {
            let (cache, gate) = (cache.clone(), gate.clone());
            world.spawn(async move { write(&cache, gate, n).await })
        })
        .collect();
    world.settle();
    assert!(running.iter().all(|running| !running.is_done()));
    gate.open();
    world.settle();
    for (n, running) in (0..50).zip(running) {
        assert_eq!(running.value().is_ok(), n % 2 == 0);
        let seen = cache.blocking().get::<u64>(format!("k:{n}")).unwrap();
        assert_eq!(seen, (n % 2 == 0).then_some(n));
    }
    let cache = Cache::builder().build().unwrap();
    let threads: Vec<_> = (0..16)
        .map(|n| {
            let cache = cache.clone();
            let write = move || {
                let blocking = cache.blocking();
                let done: Result<u64, Error> = blocking
                    .transaction(Mode::Fast, |_| {
                        blocking.set(format!("k:{n}"), &n).ttl("1m").wait()?;
                        if n % 2 == 0 { Ok(n) } else { Err(given_up()) }
                    })
                    .wait();
                done.is_ok()
            };
            std::thread::spawn(write)
        })
        .collect();
    let committed = threads
        .into_iter()
        .map(|t| t.join().unwrap())
        .filter(|ok| *ok);
    assert_eq!(committed.count(), 8);
    assert_eq!(cache.len(), 8);
}

#[test]
fn under_cached_a_miss_runs_the_transaction() {
    #[cached(cache = cache, key = "sum:{n}", ttl = "1m")]
    #[transactional(cache = cache)]
    fn sum(cache: &Cache, n: u64) -> Result<u64, Error> {
        cache.blocking().set("last", &n).ttl("1m").wait()?;
        Ok(n + 1)
    }

    let cache = Cache::builder().build().unwrap();
    for _ in 0..3 {
        assert_eq!(sum(&cache, 1).unwrap(), 2);
    }
    assert_eq!(cache.stats().committed, 1);
    assert_eq!(cache.blocking().get::<u64>("last").unwrap(), Some(1));
}

#[test]
fn a_guard_stands_before_the_transaction_in_whatever_order_they_are_written() {
    #[rate_limit(cache = cache, limit = 1, per = "1h", key = "a")]
    #[transactional(cache = cache)]
    fn guard_first(cache: &Cache) -> Result<(), Error> {
        cache.blocking().set("k", &1_u64).ttl("1m").wait().map(drop)
    }

    #[transactional(cache = cache)]
    #[rate_limit(cache = cache, limit = 1, per = "1h", key = "b")]
    #[rate_limit(cache = cache, limit = 5, per = "1h", key = "c")]
    fn guard_last(cache: &Cache) -> Result<(), Error> {
        cache.blocking().set("k", &1_u64).ttl("1m").wait().map(drop)
    }

    let cache = Cache::builder().build().unwrap();
    for function in [guard_first, guard_last] {
        let before = cache.stats();
        function(&cache).unwrap();
        for _ in 0..3 {
            let refused = function(&cache).unwrap_err();
            assert_eq!(refused.kind(), larder::ErrorKind::Refused);
        }
        let stats = cache.stats().since(&before);
        assert_eq!(
            (stats.committed, stats.rolled_back),
            (1, 0),
            "a refused call begins none"
        );
    }
}

#[test]
fn what_the_function_itself_forgets_goes_with_its_commit_in_whatever_order() {
    #[invalidates(keys = "k", cache = cache)]
    #[transactional(cache = cache)]
    fn edges_first(cache: &Cache, fails: Option<()>) -> Result<(), Error> {
        let _ = cache;
        fails.map_or(Ok(()), |()| Err(given_up()))
    }

    #[transactional(cache = cache)]
    #[invalidates(keys = "k", cache = cache, before)]
    fn edges_last(cache: &Cache, fails: Option<()>) -> Result<(), Error> {
        let _ = cache;
        fails.map_or(Ok(()), |()| Err(given_up()))
    }

    let cache = Cache::builder().build().unwrap();
    let outsider = Outsider(cache.clone());
    for function in [edges_first, edges_last] {
        cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
        assert!(function(&cache, Some(())).is_err());
        assert_eq!(
            outsider.number("k"),
            Some(1),
            "also what it forgets before its body"
        );
        function(&cache, None).unwrap();
        assert_eq!(outsider.number("k"), None);
    }
}
