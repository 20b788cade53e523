//! `increment`.

use larder::{Cache, ErrorKind, Policy};

use crate::support::secs;
use crate::with_cache;

#[test]
fn what_is_kept_only_for_a_failing_source_counts_as_absent() {
    with_cache(|cache, world| async move {
        let policy = Policy::new().ttl("1m").fail_safe("1h");
        cache.set("k", &1_u64).policy(policy).await?;
        cache.increment("n", 5).policy(policy).await?;
        world.clock_on(secs(60));
        assert!(!cache.exists("k").await?);
        assert_eq!(cache.get::<u64>("k").await?, None);
        assert!(!cache.touch("k", "1h").await?);
        assert!(!cache.set("k", &2_u64).ttl("1m").if_present().await?);
        assert!(cache.set("k", &3_u64).ttl("1m").if_absent().await?);
        assert_eq!(cache.get::<u64>("k").await?, Some(3));
        assert_eq!(
            cache.increment("n", 1).policy(policy).await?,
            1,
            "a new count"
        );
        Ok(())
    });
}

#[test]
fn counting_starts_at_nothing_and_its_time_with_the_first() {
    with_cache(|cache, world| async move {
        assert_eq!(cache.increment("n", 5).ttl("10s").await?, 5);
        world.clock_on(secs(6));
        assert_eq!(cache.increment("n", 1).ttl("10s").await?, 6);
        assert_eq!(cache.increment("n", -10).ttl("1h").await?, -4);
        assert_eq!(cache.get::<i64>("n").await?, Some(-4));
        world.clock_on(secs(4));
        assert_eq!(
            cache.get::<i64>("n").await?,
            None,
            "the first one's time is over"
        );
        assert_eq!(cache.increment("n", 1).ttl("10s").await?, 1);
        Ok(())
    });
}

#[test]
fn counting_needs_a_ttl_only_when_it_starts() {
    with_cache(|cache, _| async move {
        let error = cache.increment("n", 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(
            error.to_string().starts_with("increment `n`: no `ttl`"),
            "{error}"
        );
        cache.increment("n", 1).ttl("1m").await?;
        assert_eq!(cache.increment("n", 1).await?, 2);
        Ok(())
    });
}

#[test]
fn a_count_out_of_range_is_an_error_and_changes_nothing() {
    with_cache(|cache, _| async move {
        cache.increment("n", i64::MAX).ttl("1m").await?;
        let error = cache.increment("n", 1).await.unwrap_err();
        assert!(
            error.to_string().contains("out of the range of an `i64`"),
            "{error}"
        );
        assert_eq!(cache.get::<i64>("n").await?, Some(i64::MAX));
        Ok(())
    });
}

#[test]
fn only_a_whole_number_is_counted() {
    with_cache(|cache, _| async move {
        cache.set("t", "text").ttl("1m").await?;
        cache.set("u", &1_u64).ttl("1m").await?;
        for key in ["t", "u"] {
            let error = cache.increment(key, 1).ttl("1m").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongType);
        }
        assert_eq!(cache.get::<u64>("u").await?, Some(1));
        cache.set("i", &1_i64).ttl("1m").await?;
        assert_eq!(cache.increment("i", 1).await?, 2);
        Ok(())
    });
}

#[test]
fn no_count_of_many_threads_is_lost() {
    let cache = Cache::builder().build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    cache.blocking().increment("n", 1).ttl("1h").wait().unwrap();
                }
            });
        }
    });
    assert_eq!(cache.blocking().get::<i64>("n").unwrap(), Some(4_000));
}
