//! Locks by name: an owner, an end, and waiting without asking again and again.

mod support;

use std::future::{Future, IntoFuture};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use larder::{Cache, ErrorKind, Lock};
use support::{Running, World, millis, secs};

fn world() -> (Arc<World>, Cache) {
    let world = World::new();
    let cache = world.cache();
    (world, cache)
}

fn take(cache: &Cache) -> larder::Result<Lock> {
    cache.blocking().lock("l").ttl("10s").wait()
}

/// Starts to wait for the lock, for up to a minute.
fn wait(world: &World, cache: &Cache) -> Running<larder::Result<Lock>> {
    let cache = cache.clone();
    let waiting = world.spawn(async move { cache.lock("l").ttl("10s").wait_for("1m").await });
    world.settle();
    waiting
}

#[test]
fn one_holds_it_and_others_are_refused_at_once() {
    let (_world, cache) = world();
    let lock = take(&cache).unwrap();
    assert!(lock.is_held());
    assert!(cache.blocking().is_locked("l").unwrap());
    let error = take(&cache).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        "lock `l`: it is held for another 10s: try later, or wait longer with `wait_for`"
    );
    assert!(cache.blocking().lock("other").wait().is_ok());
}

#[test]
fn a_dropped_lock_is_free() {
    let (_world, cache) = world();
    drop(take(&cache).unwrap());
    assert!(!cache.blocking().is_locked("l").unwrap());
    assert!(take(&cache).is_ok());
}

#[test]
fn only_its_owner_gives_it_back() {
    let (world, cache) = world();
    world.set_random(100);
    let lock = take(&cache).unwrap();
    let cache = cache.blocking();
    assert!(!cache.unlock("l", lock.owner() + 2).unwrap());
    assert!(!cache.unlock("other", lock.owner()).unwrap());
    assert!(cache.is_locked("l").unwrap());
    assert!(cache.unlock("l", lock.owner()).unwrap());
    assert!(!lock.is_held());
    assert!(!cache.unlock("l", lock.owner()).unwrap(), "once");
}

#[test]
fn a_lock_ends_and_its_late_owner_does_not_free_the_next_ones() {
    let (world, cache) = world();
    world.set_random(100);
    let late = take(&cache).unwrap();
    world.advance(secs(10) - millis(1));
    assert!(late.is_held() && take(&cache).is_err());
    world.advance(millis(1));
    assert!(!late.is_held());
    world.set_random(200);
    let next = take(&cache).unwrap();
    assert!(!cache.blocking().unlock("l", late.owner()).unwrap());
    drop(late);
    assert!(next.is_held(), "the late one's drop gives back nothing");
}

#[test]
fn renewing_starts_its_time_anew_while_it_is_held() {
    let (world, cache) = world();
    world.set_random(100);
    let lock = take(&cache).unwrap();
    world.advance(secs(9));
    assert!(lock.renew().wait().unwrap());
    world.advance(secs(9));
    assert!(lock.is_held());
    world.advance(secs(1));
    assert!(!lock.is_held());
    assert!(!lock.renew().wait().unwrap(), "what is lost stays lost");
    world.set_random(200);
    let _next = take(&cache).unwrap();
    assert!(!lock.renew().wait().unwrap());
}

#[test]
fn who_waits_gets_it_when_it_is_given_back() {
    let (world, cache) = world();
    let lock = take(&cache).unwrap();
    let waiting = wait(&world, &cache);
    assert!(!waiting.is_done());
    drop(lock);
    world.settle();
    assert!(waiting.value().unwrap().is_held());
}

#[test]
fn who_waits_gets_it_when_it_ends() {
    let (world, cache) = world();
    let lock = take(&cache).unwrap();
    let waiting = wait(&world, &cache);
    world.advance(secs(10) - millis(1));
    assert!(!waiting.is_done());
    world.advance(millis(1));
    assert!(waiting.value().unwrap().is_held());
    assert!(!lock.is_held());
}

#[test]
fn who_waits_is_refused_when_the_time_to_wait_is_over() {
    let (world, cache) = world();
    let _lock = cache.blocking().lock("l").ttl("1h").wait().unwrap();
    let waiting = wait(&world, &cache);
    world.advance(secs(60) - millis(1));
    assert!(!waiting.is_done());
    world.advance(millis(1));
    let error = waiting.value().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(
        error.to_string().contains("it is held for another 3540s"),
        "{error}"
    );
}

#[test]
fn all_who_wait_get_it_one_after_the_other() {
    let (world, cache) = world();
    let lock = take(&cache).unwrap();
    let waiting: Vec<_> = (0..10).map(|_| wait(&world, &cache)).collect();
    drop(lock);
    for _ in 0..10 {
        world.settle();
        let holding: Vec<_> = waiting.iter().filter_map(Running::take).collect();
        assert_eq!(holding.len(), 1, "one at a time");
    }
}

#[test]
fn a_waiting_one_that_is_dropped_does_not_swallow_the_lock() {
    let (world, cache) = world();
    let lock = take(&cache).unwrap();
    let gone = wait(&world, &cache);
    let stays = wait(&world, &cache);
    gone.cancel();
    drop(lock);
    world.settle();
    assert!(stays.value().unwrap().is_held());
}

#[test]
fn waiting_asks_nobody_again_and_again() {
    let (world, cache) = world();
    let _lock = cache.blocking().lock("l").ttl("1h").wait().unwrap();
    let _waiting = wait(&world, &cache);
    assert_eq!(
        world.sleepers(),
        1,
        "one timer, for the end of waiting or of the lock"
    );
}

#[test]
fn a_lock_is_no_entry() {
    let (_world, cache) = world();
    let blocking = cache.blocking();
    blocking.set("l", &1_u64).ttl("1m").wait().unwrap();
    let lock = take(&cache).unwrap();
    assert_eq!(blocking.get::<u64>("l").unwrap(), Some(1));
    blocking.clear().unwrap();
    assert!(lock.is_held());
    assert_eq!(blocking.scan("*").unwrap(), Vec::<String>::new());
}

#[test]
fn a_lock_of_no_time_is_refused() {
    let (_world, cache) = world();
    for lock in [
        cache.blocking().lock("l").ttl("0s"),
        cache.blocking().lock("l").ttl(-1),
        cache.blocking().lock("l").wait_for("soon"),
    ] {
        let error = lock.wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().starts_with("lock `l`: "), "{error}");
    }
    let forever = cache.blocking().lock("l").ttl("forever").wait().unwrap();
    assert!(forever.is_held());
}

#[test]
fn of_many_threads_one_is_inside() {
    let cache = Cache::builder().build().unwrap();
    let inside = AtomicUsize::new(0);
    let total = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let lock = cache.blocking().lock("l").ttl("1h").wait_for("1h");
                    let _lock = lock.wait().unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    total.fetch_add(1, Ordering::Relaxed);
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(total.load(Ordering::Relaxed), 400);
}

#[test]
fn two_waiting_for_it_in_one_task_both_get_it() {
    let (world, cache) = world();
    let lock = take(&cache).unwrap();
    let both = {
        let cache = cache.clone();
        world.spawn(async move {
            let one = async { drop(cache.lock("l").wait_for("1m").await.unwrap()) };
            let other = async { drop(cache.lock("l").wait_for("1m").await.unwrap()) };
            tokio::join!(one, other);
        })
    };
    world.settle();
    drop(lock);
    world.settle();
    both.value();
}

/// A waker that counts how many know it.
struct Known;

impl Wake for Known {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn who_waits_no_more_leaves_nothing_at_the_lock() {
    let (world, cache) = world();
    let _lock = take(&cache).unwrap();
    let known = Arc::new(Known);
    let waker = Waker::from(Arc::clone(&known));
    let mut context = Context::from_waker(&waker);
    let wait = || Box::pin(cache.lock("l").wait_for("1s").into_future());
    let (mut late, mut dropped) = (wait(), wait());
    for waiting in [&mut late, &mut dropped] {
        assert!(waiting.as_mut().poll(&mut context).is_pending());
    }
    assert!(Arc::strong_count(&known) > 2, "they are noted");
    drop(dropped);
    world.advance(secs(1));
    assert!(late.as_mut().poll(&mut context).is_ready());
    drop(late);
    assert_eq!(Arc::strong_count(&known), 2, "the test's own");
}

#[test]
fn fencing_numbers_go_on_when_the_process_starts_anew() {
    let (world, before) = world();
    let last = (0..3).map(|_| take(&before).unwrap().fence()).max();
    world.advance(millis(1));
    let after = world.cache();
    assert!(Some(take(&after).unwrap().fence()) > last);
}

#[test]
fn locks_of_two_prefixes_are_two() {
    let world = World::new();
    let [one, two] = ["a:", "b:"].map(|p| world.builder().prefix(p).build().unwrap());
    let _one = take(&one).unwrap();
    assert!(take(&two).is_ok());
}
