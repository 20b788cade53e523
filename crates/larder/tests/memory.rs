//! The in-process tier: bounded, typed, and never dropping a user's value under a lock.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use larder::__private::{AsOption, Hit, KeyBuf, Mode, Site, fill_sync, hit};
use larder::{Cache, ErrorKind, Event, Policy};
use support::{Log, Oops, World, millis, secs};

#[test]
fn a_cache_holds_no_more_entries_than_its_size() {
    for size in [
        1, 2, 3, 7, 10, 31, 33, 100, 101, 1_000, 1_001, 4_097, 10_001,
    ] {
        let cache = Cache::builder().size(size).build().unwrap();
        for n in 0..size * 3 {
            cache
                .blocking()
                .set(format!("k:{n}"), &n)
                .ttl("1h")
                .wait()
                .unwrap();
        }
        let held = cache.len() as u64;
        assert!(held <= size, "{held} of {size}");
        assert!(held * 10 >= size * 8, "{held} of {size} leaves room unused");
    }
}

#[test]
fn a_cache_of_one_entry_holds_the_last_one() {
    let cache = Cache::builder().size(1).build().unwrap();
    for n in 0..10_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
        assert_eq!(cache.blocking().get(format!("k:{n}")).unwrap(), Some(n));
        assert_eq!(cache.len(), 1);
    }
}

#[test]
fn a_cache_holds_ten_thousand_entries_if_nothing_is_said() {
    let cache = Cache::builder().build().unwrap();
    for n in 0..30_000_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
    }
    assert!((8_000..=10_000).contains(&cache.len()), "{}", cache.len());
}

#[test]
fn a_size_of_nothing_is_refused() {
    for builder in [Cache::builder().size(0), Cache::builder().weight(0)] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("give it at least 1"), "{error}");
    }
}

#[test]
fn what_gives_way_is_counted_and_told() {
    let world = World::new();
    let log = Log::default();
    let cache = world
        .builder()
        .size(100)
        .observer(log.clone())
        .build()
        .unwrap();
    for n in 0..1_000_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
    }
    let evicted = 1_000 - cache.len();
    assert_eq!(cache.stats().evicted, evicted as u64);
    assert_eq!(log.count("evicted k:"), evicted);
    assert_eq!(cache.stats().stored, 1_000);
}

#[test]
fn what_is_replaced_or_removed_is_not_evicted() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    for n in 0..10_u64 {
        cache.blocking().set("k", &n).ttl("1h").wait().unwrap();
    }
    cache.blocking().delete("k").unwrap();
    assert_eq!(cache.stats().evicted, 0);
    assert_eq!(log.count("evicted"), 0);
    assert_eq!(cache.stats().invalidated, 1);
}

#[test]
fn what_is_used_outlives_what_is_written_once() {
    let cache = Cache::builder().size(1_000).build().unwrap();
    for n in 0..100_u64 {
        cache
            .blocking()
            .set(format!("hot:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
    }
    let mut survived = 0;
    for n in 0..20_000_u64 {
        cache
            .blocking()
            .set(format!("once:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
        let hot = cache
            .blocking()
            .get::<u64>(format!("hot:{}", n % 100))
            .unwrap();
        survived += u64::from(hot.is_some() && n >= 19_900);
    }
    assert!(
        survived >= 90,
        "{survived} of 100 survived a scan of twenty times the size"
    );
}

#[test]
fn a_cache_by_weight_holds_no_more_than_its_weight() {
    let cache = Cache::builder().weight(10_000).build().unwrap();
    for n in 0..1_000_u64 {
        let policy = Policy::new().ttl("1h").weight(100);
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .policy(policy)
            .wait()
            .unwrap();
        assert!(cache.weight() <= 10_000, "{}", cache.weight());
    }
    assert_eq!(cache.weight(), cache.len() as u64 * 100);
    assert!(cache.len() > 80, "{}", cache.len());
    assert_eq!(cache.stats().evicted, 1_000 - cache.len() as u64);
}

#[test]
fn a_weigher_says_what_a_type_weighs() {
    let weigh = |text: &String| u32::try_from(text.len()).unwrap();
    let cache = Cache::builder()
        .weight("1mb")
        .weigher(weigh)
        .build()
        .unwrap();
    let set = |key: &str, length| {
        let text = "x".repeat(length);
        cache.blocking().set(key, &text).ttl("1h").wait().unwrap();
    };
    set("a", 1_000);
    set("b", 500);
    assert_eq!(cache.weight(), 1_500);
    set("b", 700);
    assert_eq!(cache.weight(), 1_700);
    cache.blocking().delete("a").unwrap();
    assert_eq!(cache.weight(), 700);
    cache.blocking().touch("b", "2h").unwrap();
    assert_eq!(cache.weight(), 700, "a new life is no new weight");
    cache.blocking().clear().unwrap();
    assert_eq!(cache.weight(), 0);
}

#[test]
fn a_weigher_of_what_is_shared_sees_what_is_shared() {
    let weigh = |text: &String| u32::try_from(text.len()).unwrap();
    let cache = Cache::builder()
        .weight("1mb")
        .weigher(weigh)
        .build()
        .unwrap();
    let shared = Arc::new("x".repeat(300));
    cache.blocking().set("k", &shared).ttl("1h").wait().unwrap();
    assert_eq!(cache.weight(), 300);
}

#[test]
fn without_a_weigher_an_entry_weighs_its_key_and_its_type() {
    let cache = Cache::builder().weight("1mb").build().unwrap();
    cache
        .blocking()
        .set("k", &[0_u8; 64])
        .ttl("1h")
        .wait()
        .unwrap();
    let small = cache.weight();
    cache.blocking().clear().unwrap();
    cache
        .blocking()
        .set("k", &[0_u8; 1_064])
        .ttl("1h")
        .wait()
        .unwrap();
    assert_eq!(cache.weight(), small + 1_000);
}

#[test]
fn what_is_too_heavy_is_not_kept_and_takes_nothing_old_for_true() {
    let world = World::new();
    let log = Log::default();
    let builder = world.builder().weight(1_000).observer(log.clone());
    let cache = builder.build().unwrap();
    let set = |weight| {
        let policy = Policy::new().ttl("1h").weight(weight);
        cache
            .blocking()
            .set("k", &u64::from(weight))
            .policy(policy)
            .wait()
            .unwrap();
    };
    set(10);
    set(5_000);
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), None);
    assert_eq!(cache.weight(), 0);
    assert!(log.count("evicted k") >= 1);
}

// Values that use the cache when they are dropped.

/// Calls the cache back when it is dropped, on all its operations that take locks.
struct Noisy {
    cache: Arc<OnceLock<Cache>>,
    key: &'static str,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Noisy {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        let Some(cache) = self.cache.get() else {
            return;
        };
        let cache = cache.blocking();
        // The same key is in the same shard of every table: any lock that is held would be met again.
        drop(cache.set(self.key, &1_u64).ttl("1h").wait());
        assert!(cache.get::<u64>(self.key).is_ok());
        drop(cache.increment(self.key, 1).ttl("1h").wait());
        cache.delete(self.key).unwrap();
        cache.scan("*").unwrap();
        cache.delete_tags(["t"]).unwrap();
        drop(cache.lock(self.key).wait());
        cache.explain(self.key).unwrap();
    }
}

struct Noise {
    world: Arc<World>,
    cache: Cache,
    back: Arc<OnceLock<Cache>>,
    dropped: Arc<AtomicUsize>,
}

impl Noise {
    fn value(&self, key: &'static str) -> Arc<Noisy> {
        Arc::new(Noisy {
            cache: Arc::clone(&self.back),
            key,
            dropped: Arc::clone(&self.dropped),
        })
    }

    fn set(&self, key: &'static str) {
        let set = self.cache.blocking().set(key, &self.value(key));
        set.ttl("1m").wait().unwrap();
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Runs a test on a thread of its own: a deadlock fails it in place of hanging all.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel::<()>();
    let thread = std::thread::spawn(move || {
        test();
        drop(done);
    });
    let waited = wait.recv_timeout(Duration::from_secs(30));
    let stuck = waited == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
    assert!(!stuck, "deadlock");
    thread.join().unwrap();
}

fn noisy(builder: fn(larder::Builder) -> larder::Builder, test: fn(&Noise)) {
    in_time(move || {
        let world = World::new();
        let cache = builder(world.builder()).build().unwrap();
        let noise = Noise {
            world,
            cache: cache.clone(),
            back: Arc::default(),
            dropped: Arc::default(),
        };
        noise.back.set(cache).unwrap();
        test(&noise);
    });
}

#[test]
fn a_value_may_use_the_cache_when_it_is_replaced() {
    noisy(
        |b| b,
        |noise| {
            noise.set("k");
            noise.set("k");
            // The first one's drop has removed the second.
            assert_eq!(noise.dropped(), 2);
            assert!(noise.cache.is_empty());
        },
    );
}

#[test]
fn a_value_may_use_the_cache_when_it_is_deleted() {
    noisy(
        |b| b,
        |noise| {
            let forget: [fn(&Cache); 5] = [
                |c| assert!(c.blocking().delete("k").unwrap()),
                |c| assert_eq!(c.blocking().delete_prefix("k").unwrap(), 1),
                |c| assert_eq!(c.blocking().delete_pattern("?").unwrap(), 1),
                |c| c.blocking().clear().unwrap(),
                |c| c.blocking().close(),
            ];
            for (n, forget) in forget.into_iter().enumerate() {
                noise.set("k");
                forget(&noise.cache);
                assert_eq!(noise.dropped(), n + 1);
            }
        },
    );
}

#[test]
fn a_value_may_use_the_cache_when_it_gives_way() {
    noisy(
        |b| b.size(1),
        |noise| {
            noise.set("a");
            noise.set("b");
            assert!(noise.dropped() >= 1);
        },
    );
}

#[test]
fn a_value_may_use_the_cache_when_it_is_too_heavy() {
    noisy(
        |b| b.weight(1_000),
        |noise| {
            let value = noise.value("k");
            let policy = Policy::new().ttl("1m").weight(5_000);
            noise
                .cache
                .blocking()
                .set("k", &value)
                .policy(policy)
                .wait()
                .unwrap();
            drop(value);
            assert_eq!(noise.dropped(), 1);
        },
    );
}

#[test]
fn a_value_may_use_the_cache_when_its_time_is_over() {
    noisy(
        |b| b,
        |noise| {
            noise.set("read");
            noise.world.clock_on(secs(60));
            assert!(
                noise
                    .cache
                    .blocking()
                    .get::<Arc<Noisy>>("read")
                    .unwrap()
                    .is_none()
            );
            assert_eq!(noise.dropped(), 1, "met by a reader");
            noise.set("swept");
            noise.world.advance(secs(120));
            assert_eq!(noise.dropped(), 2, "met by the sweeper");
        },
    );
}

#[test]
fn a_value_may_use_the_cache_when_its_write_or_its_fill_is_refused() {
    noisy(
        |b| b,
        |noise| {
            noise
                .cache
                .blocking()
                .set("k", &1_u64)
                .ttl("1m")
                .wait()
                .unwrap();
            let absent = noise.cache.blocking().set("k", &noise.value("other"));
            assert!(!absent.ttl("1m").if_absent().wait().unwrap());
            assert_eq!(noise.dropped(), 1);
            let load = || {
                noise.cache.blocking().delete("f").unwrap();
                Ok::<_, Oops>(noise.value("f"))
            };
            drop(
                noise
                    .cache
                    .blocking()
                    .get_or_load("f", load)
                    .ttl("1m")
                    .wait()
                    .unwrap(),
            );
            assert_eq!(noise.dropped(), 2);
        },
    );
}

#[test]
fn a_clone_may_use_the_cache() {
    struct Loud(Arc<OnceLock<Cache>>);
    impl Clone for Loud {
        fn clone(&self) -> Self {
            if let Some(cache) = self.0.get() {
                cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
                cache.blocking().delete("k").unwrap();
                cache.blocking().clear().unwrap();
            }
            Self(Arc::clone(&self.0))
        }
    }
    in_time(|| {
        let world = World::new();
        let cache = world.cache();
        let back: Arc<OnceLock<Cache>> = Arc::default();
        cache
            .blocking()
            .set("k", &Loud(Arc::clone(&back)))
            .ttl("1m")
            .wait()
            .unwrap();
        assert!(back.set(cache.clone()).is_ok());
        assert!(cache.blocking().get::<Loud>("k").unwrap().is_some());
        assert!(cache.is_empty());
    });
}

#[test]
fn an_observer_may_use_the_cache() {
    in_time(|| {
        let world = World::new();
        let back: Arc<OnceLock<Cache>> = Arc::default();
        let observer = {
            let back = Arc::clone(&back);
            let inside = AtomicBool::new(false);
            move |event: &Event<'_>| {
                let Some(cache) = back.get() else { return };
                if inside.swap(true, Ordering::Relaxed) {
                    return;
                }
                let cache = cache.blocking();
                for key in ["a", "b"] {
                    drop(cache.set(key, &format!("{event}")).ttl("1m").wait());
                    assert!(cache.exists(key).is_ok());
                    drop(cache.increment(key, 1).wait());
                    cache.delete_many([key]).unwrap();
                }
                inside.store(false, Ordering::Relaxed);
            }
        };
        let cache = world.builder().size(1).observer(observer).build().unwrap();
        assert!(back.set(cache.clone()).is_ok());
        let blocking = cache.blocking();
        for key in ["a", "b"] {
            blocking.set(key, &1_u64).ttl("1m").wait().unwrap();
            drop(blocking.get::<u64>(key));
            drop(
                blocking
                    .get_or_load(key, || Ok::<_, Oops>(1_u64))
                    .ttl("1m")
                    .wait(),
            );
            blocking.delete(key).unwrap();
            blocking.delete_tags(["t"]).unwrap();
        }
        world.advance(secs(120));
        blocking.clear().unwrap();
    });
}

// Expiry without readers.

#[test]
fn expired_entries_go_without_being_read() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    for n in 0..1_000_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1m")
            .wait()
            .unwrap();
    }
    cache
        .blocking()
        .set("stays", &1_u64)
        .ttl("1h")
        .wait()
        .unwrap();
    world.advance(secs(70));
    assert_eq!(cache.len(), 1);
    assert_eq!(log.count("expired k:"), 1_000);
    assert_eq!(cache.stats().expired, 1_000);
    assert_eq!(cache.stats().evicted, 0);
    world.advance(secs(3_600));
    assert_eq!(cache.len(), 0);
}

#[test]
fn each_entry_goes_in_its_own_time() {
    let world = World::new();
    let cache = world.cache();
    for n in 1..=100_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl(n * 10)
            .wait()
            .unwrap();
    }
    for n in 1..=100_usize {
        world.advance(secs(10));
        let alive = cache.blocking().scan("*").unwrap().len();
        assert_eq!(alive, 100 - n);
        assert!(cache.len() <= alive + 1, "and soon after, from memory");
    }
}

#[test]
fn an_earlier_end_is_not_missed_for_a_later_one() {
    let world = World::new();
    let cache = world.cache();
    cache
        .blocking()
        .set("late", &1_u64)
        .ttl("1h")
        .wait()
        .unwrap();
    cache
        .blocking()
        .set("early", &1_u64)
        .ttl("5s")
        .wait()
        .unwrap();
    world.advance(secs(10));
    assert_eq!(cache.len(), 1);
    cache.blocking().touch("late", "5s").unwrap();
    world.advance(secs(10));
    assert_eq!(cache.len(), 0);
}

#[test]
fn what_is_kept_for_failures_or_served_stale_stays_until_its_end() {
    let world = World::new();
    let cache = world.cache();
    let set = |key: &str, policy| {
        cache
            .blocking()
            .set(key, &1_u64)
            .policy(policy)
            .wait()
            .unwrap();
    };
    set("kept", Policy::new().ttl("1m").fail_safe("10m"));
    set("stale", Policy::new().ttl("1m").stale("10m"));
    set("failover", Policy::new().ttl("11m").failover());
    world.advance(secs(600));
    assert_eq!(cache.len(), 3);
    world.advance(secs(120));
    assert_eq!(cache.len(), 0);
}

#[test]
fn nothing_is_scheduled_where_nothing_expires() {
    let world = World::new();
    let cache = world.cache();
    for n in 0..100_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("forever")
            .wait()
            .unwrap();
    }
    cache.blocking().get::<u64>("k:1").unwrap();
    cache.blocking().clear().unwrap();
    assert_eq!(world.chores(), 0);
    assert_eq!(world.sleepers(), 0);
}

#[test]
fn nothing_stays_scheduled_when_the_last_has_gone() {
    let world = World::new();
    let cache = world.cache();
    cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    cache
        .blocking()
        .set("f", &1_u64)
        .ttl("forever")
        .wait()
        .unwrap();
    world.advance(secs(70));
    assert_eq!(cache.len(), 1);
    let chores = world.chores();
    assert_eq!(world.sleepers(), 0);
    world.advance(secs(1_000_000));
    assert_eq!(world.chores(), chores);
}

#[test]
fn entries_that_end_together_are_swept_together() {
    let world = World::new();
    let cache = world.cache();
    for n in 1..=1_000_u64 {
        let ttl = secs(60) + millis(n);
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl(ttl)
            .wait()
            .unwrap();
    }
    world.advance(secs(100));
    assert_eq!(cache.len(), 0);
    assert!(
        world.chores() <= 4,
        "{} sweeps for a thousand deadlines in a second",
        world.chores()
    );
}

#[test]
fn a_cache_that_nobody_holds_is_dropped_with_its_values_although_a_sweep_is_due() {
    let world = World::new();
    let cache = world.cache();
    let value = Arc::new(7_u64);
    cache.blocking().set("k", &value).ttl("1m").wait().unwrap();
    world.settle();
    assert!(Arc::strong_count(&value) > 1);
    drop(cache);
    assert_eq!(Arc::strong_count(&value), 1);
    world.advance(secs(120));
}

// Values.

#[test]
fn another_type_under_the_key_is_a_miss_for_a_function_and_is_told() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    cache.blocking().set("k", &7_u64).ttl("1h").wait().unwrap();
    let load = || Ok::<_, Oops>("seven".to_owned());
    let text: String = cache
        .blocking()
        .get_or_load("k", load)
        .ttl("1h")
        .wait()
        .unwrap();
    assert_eq!(text, "seven");
    assert_eq!(log.count("wrong type k"), 1);
    assert_eq!(cache.stats().wrong_type, 1);
    assert_eq!(
        cache.blocking().get::<String>("k").unwrap().as_deref(),
        Some("seven")
    );
}

#[test]
fn types_that_look_alike_are_not_taken_for_each_other() {
    let world = World::new();
    let cache = world.cache();
    let cache = cache.blocking();
    cache.set("u64", &1_u64).ttl("1h").wait().unwrap();
    assert!(cache.get::<i64>("u64").is_err());
    assert!(cache.get::<u32>("u64").is_err());
    assert!(cache.get::<usize>("u64").is_err());
    assert!(cache.get::<bool>("u64").is_err());
    assert!(cache.get::<Option<u64>>("u64").is_err());
    assert!(cache.get::<Box<u64>>("u64").is_err());
    cache.set("arc", &Arc::new(1_u64)).ttl("1h").wait().unwrap();
    assert_eq!(cache.get::<Arc<u64>>("arc").unwrap().as_deref(), Some(&1));
    cache.set("text", "t").ttl("1h").wait().unwrap();
    assert!(cache.get::<&'static str>("text").is_err());
    assert!(cache.get::<Arc<str>>("text").is_err());
}

#[test]
fn changing_what_was_returned_changes_nothing_in_the_cache() {
    let world = World::new();
    let cache = world.cache();
    let cache = cache.blocking();
    let mut given = vec![1, 2];
    cache.set("k", &given).ttl("1h").wait().unwrap();
    given.push(3);
    let mut taken: Vec<i32> = cache.get("k").unwrap().unwrap();
    assert_eq!(taken, [1, 2]);
    taken.clear();
    assert_eq!(cache.get::<Vec<i32>>("k").unwrap(), Some(vec![1, 2]));
    let load = || Ok::<_, Oops>(vec![9]);
    let mut loaded: Vec<i32> = cache.get_or_load("l", load).ttl("1h").wait().unwrap();
    loaded.push(8);
    assert_eq!(cache.get::<Vec<i32>>("l").unwrap(), Some(vec![9]));
}

#[test]
fn what_is_shared_is_not_copied() {
    let world = World::new();
    let cache = world.cache();
    let given = Arc::new(Mutex::new(1));
    cache.blocking().set("k", &given).ttl("1h").wait().unwrap();
    let taken: Arc<Mutex<i32>> = cache.blocking().get("k").unwrap().unwrap();
    assert!(Arc::ptr_eq(&given, &taken));
    let text: Arc<str> = "shared".into();
    cache.blocking().set("t", &text).ttl("1h").wait().unwrap();
    let taken: Arc<str> = cache.blocking().get("t").unwrap().unwrap();
    assert!(Arc::ptr_eq(&text, &taken));
}

#[test]
fn nothing_and_empty_are_values() {
    let world = World::new();
    let cache = world.cache();
    let cache = cache.blocking();
    cache.set("none", &None::<u64>).ttl("1h").wait().unwrap();
    cache.set("text", "").ttl("1h").wait().unwrap();
    cache
        .set("list", &Vec::<u8>::new())
        .ttl("1h")
        .wait()
        .unwrap();
    cache.set("zero", &0_u64).ttl("1h").wait().unwrap();
    cache.set("false", &false).ttl("1h").wait().unwrap();
    cache.set("unit", &()).ttl("1h").wait().unwrap();
    assert_eq!(cache.get::<Option<u64>>("none").unwrap(), Some(None));
    assert_eq!(cache.get::<String>("text").unwrap(), Some(String::new()));
    assert_eq!(cache.get::<Vec<u8>>("list").unwrap(), Some(Vec::new()));
    assert_eq!(cache.get::<u64>("zero").unwrap(), Some(0));
    assert_eq!(cache.get::<bool>("false").unwrap(), Some(false));
    assert_eq!(cache.get::<()>("unit").unwrap(), Some(()));
    assert!(cache.exists("none").unwrap());
    assert!(
        !cache
            .set("none", &Some(1_u64))
            .ttl("1h")
            .if_absent()
            .wait()
            .unwrap()
    );
}

#[test]
fn a_function_that_finds_nothing_is_not_asked_again() {
    static SITE: Site = Site::new("memory::find", "{key}");
    let world = World::new();
    let cache = world.cache();
    let calls = AtomicUsize::new(0);
    let find = |skip: bool| {
        let key = || KeyBuf::from_text("k");
        match hit::<AsOption, Option<u64>>(&cache, &SITE, &key()) {
            Hit::Value(value) | Hit::Refresh(value, _) => return value,
            Hit::Miss => {}
        }
        fill_sync::<AsOption, Option<u64>, _, _, _>(
            &cache,
            &SITE,
            key(),
            Mode::Foreground,
            |plan| plan.policy(Policy::new().ttl("1h")),
            || {
                calls.fetch_add(1, Ordering::Relaxed);
                None
            },
            |settle| {
                if skip {
                    settle.skip_none();
                }
            },
        )
    };
    assert_eq!((find(true), find(true)), (None, None));
    assert_eq!(
        calls.load(Ordering::Relaxed),
        2,
        "`skip_none` keeps no `None`"
    );
    assert_eq!((find(false), find(false)), (None, None));
    assert_eq!(
        calls.load(Ordering::Relaxed),
        3,
        "without it `None` is a value"
    );
}

#[test]
fn numbers_come_back_to_the_bit() {
    let world = World::new();
    let cache = world.cache();
    let cache = cache.blocking();
    cache.set("f", &-0.0_f64).ttl("1h").wait().unwrap();
    cache
        .set("nan", &f64::from_bits(0x7FF8_0000_0000_1234))
        .ttl("1h")
        .wait()
        .unwrap();
    cache.set("i128", &i128::MIN).ttl("1h").wait().unwrap();
    cache.set("char", &'é').ttl("1h").wait().unwrap();
    cache.set("i8", &i8::MIN).ttl("1h").wait().unwrap();
    assert_eq!(
        cache.get::<f64>("f").unwrap().unwrap().to_bits(),
        (-0.0_f64).to_bits()
    );
    assert_eq!(
        cache.get::<f64>("nan").unwrap().unwrap().to_bits(),
        0x7FF8_0000_0000_1234
    );
    assert_eq!(cache.get::<i128>("i128").unwrap(), Some(i128::MIN));
    assert_eq!(cache.get::<char>("char").unwrap(), Some('é'));
    assert_eq!(cache.get::<i8>("i8").unwrap(), Some(i8::MIN));
}

#[test]
fn threads_never_read_a_value_of_another_key() {
    let cache = Cache::builder().size(200).build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let cache = cache.clone();
            scope.spawn(move || {
                let cache = cache.blocking();
                let mut n = thread;
                for _ in 0..5_000 {
                    n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let key = (n >> 33) % 500;
                    match n >> 60 {
                        0 => drop(cache.delete(format!("k:{key}"))),
                        1..8 => drop(cache.set(format!("k:{key}"), &key).ttl("1h").wait()),
                        _ => {
                            let found = cache.get::<u64>(format!("k:{key}")).unwrap();
                            assert!(found.is_none_or(|value| value == key));
                        }
                    }
                }
            });
        }
    });
    assert!(cache.len() <= 200);
}
