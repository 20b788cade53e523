//! What a filter answers, by the return type of its function.

use std::sync::atomic::{AtomicU32, Ordering};

use larder::{Cache, bloom, cached};

use crate::support::World;

#[test]
fn what_was_not_added_is_answered_without_a_call() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}")]
    async fn user_exists(cache: &Cache, id: u64) -> bool {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        id < 10
    }

    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        assert!(user_exists::add(&cache, 7).await.unwrap());
        assert!(!user_exists::add(&cache, 7).await.unwrap(), "it is there");
        user_exists::add_many(&cache, [1, 2, 3]).await.unwrap();
        user_exists::ready(&cache).await.unwrap();
        assert!(user_exists(&cache, 7).await);
        assert!(user_exists(&cache, 3).await);
        assert_eq!(CALLS.load(Ordering::Relaxed), 2);
        assert!(!user_exists(&cache, 4).await);
        assert_eq!(CALLS.load(Ordering::Relaxed), 2);
        assert_eq!(cache.stats().ruled_out, 1);
        assert!(!user_exists::may_contain(&cache, 4).await.unwrap());
    });
}

#[test]
fn the_same_in_threads() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}")]
    fn user_exists(cache: &Cache, id: u64) -> bool {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        id < 10
    }

    let cache = Cache::builder().build().unwrap();
    user_exists::add(&cache, 7).unwrap();
    user_exists::ready(&cache).unwrap();
    assert!(user_exists(&cache, 7));
    assert!(!user_exists(&cache, 8));
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
}

#[test]
fn under_cached_the_handle_fills_the_filter() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "user:{id}", ttl = "1m")]
    #[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}")]
    fn user(cache: &Cache, id: u64) -> Option<u64> {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        Some(id)
    }

    #[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}")]
    #[cached(cache = cache, key = "above:{id}", ttl = "1m")]
    fn above(cache: &Cache, id: u64) -> Option<u64> {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        Some(id)
    }

    let cache = Cache::builder().build().unwrap();
    user::add(&cache, 7).unwrap();
    user::ready(&cache).unwrap();
    above::add(&cache, 7).unwrap();
    above::ready(&cache).unwrap();
    for _ in 0..3 {
        assert_eq!(user(&cache, 7), Some(7));
        assert_eq!(user(&cache, 8), None);
        assert_eq!(above(&cache, 7), Some(7));
        assert_eq!(above(&cache, 8), None);
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
    assert_eq!(
        cache.stats().ruled_out,
        2,
        "the answer is kept like any other"
    );
    assert!(user::invalidate(&cache, 8).unwrap());
}
