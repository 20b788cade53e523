//! What is kept is what was given, of the type that it was.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use larder::__private::{AsOption, Hit, KeyBuf, Mode, Site, fill_sync, hit};
use larder::{Cache, Policy};

use crate::support::{Log, Oops, World};

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
    let owned = world.cache();
    let cache = owned.blocking();
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
    assert!(owned.local().get::<&'static str>("text").is_err());
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
