//! Two filters, which learn from the function.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::{Cache, bloom};

use crate::support::World;

static CALLS: AtomicU64 = AtomicU64::new(0);

#[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}", pair, ttl = "1h")]
fn is_even(cache: &Cache, calls: &AtomicU64, id: u64) -> bool {
    let _ = cache;
    calls.fetch_add(1, Ordering::Relaxed);
    id.is_multiple_of(2)
}

#[test]
fn an_answer_is_learned_and_then_given_without_a_call() {
    let cache = Cache::builder().build().unwrap();
    let calls = AtomicU64::new(0);
    for _ in 0..3 {
        for id in 0..10 {
            assert_eq!(is_even(&cache, &calls, id), id % 2 == 0);
        }
    }
    assert_eq!(calls.load(Ordering::Relaxed), 10);
    assert_eq!(cache.stats().ruled_out, 10, "each odd number twice");
}

#[test]
fn what_both_know_is_asked_for_again() {
    let cache = Cache::builder().build().unwrap();
    let calls = AtomicU64::new(0);
    assert!(!is_even(&cache, &calls, 7));
    // It has come to be since.
    is_even::add(&cache, 7).unwrap();
    for before in 1..4 {
        assert_eq!(calls.load(Ordering::Relaxed), before);
        assert!(
            !is_even(&cache, &calls, 7),
            "the function says what is true"
        );
    }
    is_even::reset(&cache).unwrap();
    assert!(!is_even(&cache, &calls, 7));
    assert!(!is_even(&cache, &calls, 7));
    assert_eq!(calls.load(Ordering::Relaxed), 5, "learned anew");
}

#[test]
fn what_was_learned_is_forgotten_in_time() {
    let world = World::new();
    let cache = world.cache();
    let calls = AtomicU64::new(0);
    assert!(!is_even(&cache, &calls, 1));
    world.advance(Duration::from_secs(3_599));
    assert!(!is_even(&cache, &calls, 1));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    world.advance(Duration::from_secs(1));
    assert!(!is_even(&cache, &calls, 1));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[test]
fn an_error_teaches_nothing_and_an_option_only_that_there_is_none() {
    #[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}", pair)]
    async fn find(cache: &Cache, calls: &AtomicU64, id: u64) -> Result<Option<u64>, &'static str> {
        let _ = cache;
        calls.fetch_add(1, Ordering::Relaxed);
        match id {
            0 => Err("down"),
            1 => Ok(None),
            id => Ok(Some(id)),
        }
    }

    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        for (id, answer, called) in [(0, Err("down"), 3), (1, Ok(None), 1), (2, Ok(Some(2)), 3)] {
            let calls = AtomicU64::new(0);
            for _ in 0..3 {
                assert_eq!(find(&cache, &calls, id).await, answer);
            }
            assert_eq!(calls.load(Ordering::Relaxed), called, "{id}");
        }
    });
}

#[test]
fn a_call_that_is_dropped_or_panics_teaches_nothing() {
    #[bloom(cache = *cache, capacity = 1_000, false_positives = "1%", key = "{id}", pair)]
    async fn never(cache: Arc<Cache>, id: u64) -> bool {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        match id {
            1 => std::future::pending().await,
            _ => panic!("no answer"),
        }
    }

    let world = World::new();
    let cache = Arc::new(world.cache());
    for _ in 0..2 {
        let call = world.spawn(never(Arc::clone(&cache), 1));
        world.settle();
        call.cancel();
        let call = world.spawn(never(Arc::clone(&cache), 2));
        world.settle();
        assert_eq!(call.panic(), "no answer");
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 4);
}

#[test]
fn the_share_of_wrong_answers_about_keys_never_asked_is_as_promised() {
    let cache = Cache::builder().build().unwrap();
    let calls = AtomicU64::new(0);
    for id in 0..1_000 {
        // Odd numbers only: the filter of the "no" is full.
        is_even(&cache, &calls, 2 * id + 1);
    }
    let wrong = (0..10_000)
        .filter(|id| !is_even(&cache, &calls, 1_000_000 + 2 * id))
        .count();
    println!("{wrong} of 10 000 even numbers were called odd");
    assert!(wrong <= 100, "{wrong} of 10 000, 1 % was said");
}

#[test]
fn a_half_of_a_pair_that_holds_too_much_says_so() {
    let told = Arc::new(AtomicU64::new(0));
    let tell = Arc::clone(&told);
    let cache = Cache::builder()
        .observer(move |event: &larder::Event<'_>| {
            if let larder::Event::FilterFull { holds, .. } = event {
                tell.store(*holds, Ordering::Relaxed);
            }
        })
        .build()
        .unwrap();
    let calls = AtomicU64::new(0);
    for id in 0..3_000 {
        is_even(&cache, &calls, 2 * id + 1);
    }
    let holds = told.load(Ordering::Relaxed);
    assert!((1_050..1_500).contains(&holds), "{holds}");
}
