//! Keys are kept under other names, and everything finds them there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use larder::middleware::{Lowercase, Middleware, Prefix};
use larder::{Cache, Event, Selector, cached, cached_batch, invalidates};

use crate::Spy;

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cached(cache = cache, key = "User:{name}", ttl = "1m", tags = ["Users"], version = 2)]
fn user(cache: &Cache, name: &str) -> u32 {
    let _ = (cache, name);
    RUNS.fetch_add(1, Ordering::SeqCst)
}

#[invalidates(user(cache = cache, name = name))]
fn renamed(cache: &Cache, name: &str) {
    let _ = (cache, name);
}

fn prefixed() -> (Spy, Cache) {
    let spy = Spy::new();
    let cache = Cache::builder()
        .prefix("own:")
        .middleware(Lowercase)
        .middleware(Prefix::new("x[1]:"))
        .middleware(spy.clone())
        .build()
        .unwrap();
    (spy, cache)
}

#[test]
fn handles_and_edges_reach_the_keys_that_the_function_wrote() {
    let (_, cache) = prefixed();
    let first = user(&cache, "Ada");
    assert_eq!(user(&cache, "Ada"), first);
    assert_eq!(user::key(&cache, "Ada").as_str(), "own:x[1]:v2:user:ada");
    assert_eq!(user::peek(&cache, "Ada").unwrap(), Some(first));
    assert!(user::invalidate(&cache, "Ada").unwrap());
    assert_eq!(user::peek(&cache, "Ada").unwrap(), None);
    user::put(&cache, "Ada", 77).unwrap();
    assert_eq!(user(&cache, "Ada"), 77);
    assert_eq!(
        user::explain(&cache, "Ada").unwrap().why(),
        "hit: the entry is fresh"
    );
    renamed(&cache, "Ada");
    let again = user(&cache, "Ada");
    assert_ne!(again, 77);
    let fresh = user::refresh(&cache, "Ada");
    assert_eq!(user(&cache, "Ada"), fresh);
    cache.blocking().delete_tags(["Users"]).unwrap();
    assert_ne!(user(&cache, "Ada"), fresh);
}

struct Words {
    cache: Cache,
}

impl Words {
    #[cached_batch(key = "Word:{word}", ttl = "1m", cache = self.cache)]
    fn lengths(&self, words: &[&str]) -> HashMap<String, usize> {
        lengths_of(words)
    }
}

#[cached_batch(key = "Word:{word}", ttl = "1m", cache = cache)]
fn lengths(cache: &Cache, words: &[&str]) -> HashMap<String, usize> {
    let _ = cache;
    lengths_of(words)
}

fn lengths_of(words: &[&str]) -> HashMap<String, usize> {
    let of = |word: &&str| ((*word).to_owned(), word.len());
    words.iter().map(of).collect()
}

#[test]
fn many_keys_are_invalidated_where_there_is_no_way_back() {
    // Nobody finds `EU:` in what became of it.
    let cache = Cache::builder()
        .middleware(Prefix::new("EU:"))
        .middleware(Lowercase)
        .build()
        .unwrap();
    assert_eq!(lengths(&cache, &["a", "b"]).len(), 2);
    assert_eq!(lengths::invalidate_many(&cache, &["a", "b"]).unwrap(), 2);
    assert!(cache.is_empty());
    let words = Words {
        cache: cache.clone(),
    };
    assert_eq!(words.lengths(&["a", "b"]).len(), 2);
    let many = [(&"a",), (&"b",)];
    assert_eq!(words.lengths_cache().invalidate_many(many).unwrap(), 2);
    assert!(cache.is_empty());
}

#[test]
fn a_function_and_a_direct_operation_meet_under_one_key() {
    let (_, cache) = prefixed();
    user::put(&cache, "Ada", 5).unwrap();
    assert_eq!(cache.blocking().get::<u32>("v2:User:Ada").unwrap(), Some(5));
    assert!(cache.blocking().delete("V2:USER:ADA").unwrap());
}

#[test]
fn selectors_reach_the_keys_that_were_rewritten() {
    let selectors: [(fn() -> Selector, usize); 5] = [
        (|| Selector::Keys(vec!["User:1".into()]), 1),
        (|| Selector::Prefix("User:".into()), 2),
        (|| Selector::Pattern("User:?".into()), 2),
        (|| Selector::Pattern("*".into()), 3),
        (|| Selector::All, 3),
    ];
    for (selector, expected) in selectors {
        let (_, cache) = prefixed();
        for key in ["User:1", "user:2", "Order:1"] {
            cache.blocking().set(key, &1_u64).ttl("1m").wait().unwrap();
        }
        assert_eq!(
            cache.blocking().invalidate(selector()).unwrap(),
            expected,
            "{:?}",
            selector()
        );
    }
}

#[test]
fn a_prefix_with_glob_characters_is_taken_literally() {
    let (_, cache) = prefixed();
    cache.blocking().set("a", &1_u64).ttl("1m").wait().unwrap();
    assert_eq!(cache.blocking().scan("?").unwrap(), ["a"]);
    let other = Cache::builder()
        .middleware(Prefix::new("*"))
        .build()
        .unwrap();
    other.blocking().set("a", &1_u64).ttl("1m").wait().unwrap();
    assert_eq!(other.blocking().delete_pattern("b").unwrap(), 0);
    assert_eq!(other.blocking().delete_pattern("a").unwrap(), 1);
}

#[test]
fn a_scan_gives_keys_that_can_be_used_again() {
    let (_, cache) = prefixed();
    let cache = cache.blocking();
    cache.set("User:1", &1_u64).ttl("1m").wait().unwrap();
    let keys = cache.scan("USER:*").unwrap();
    assert_eq!(keys, ["user:1"]);
    assert_eq!(cache.get::<u64>(&keys[0]).unwrap(), Some(1));
}

#[test]
fn every_key_of_a_batch_is_rewritten_and_answered_as_it_was_asked() {
    let (spy, cache) = prefixed();
    let cache = cache.blocking();
    assert_eq!(
        cache
            .set_many([("A", 1_u64), ("B", 2)])
            .ttl("1m")
            .wait()
            .unwrap(),
        2
    );
    assert_eq!(spy.take(), ["set x[1]:a: Done", "set x[1]:b: Done"]);
    assert_eq!(
        cache.get_many::<u64>(["b", "none", "A"]).unwrap(),
        [Some(2), None, Some(1)]
    );
    let expected = ["get x[1]:b: Hit", "get x[1]:none: Miss", "get x[1]:a: Hit"];
    assert_eq!(spy.take(), expected);
    assert_eq!(cache.delete_many(["a", "B", "c"]).unwrap(), 2);
    let expected = [
        "delete x[1]:a: Done",
        "delete x[1]:b: Done",
        "delete x[1]:c: Done",
    ];
    assert_eq!(spy.take(), expected);
}

#[test]
fn a_batch_with_two_spellings_of_a_key_loads_it_once() {
    let cache = Cache::builder().middleware(Lowercase).build().unwrap();
    let loads = AtomicU32::new(0);
    let load = |keys: Vec<String>| {
        loads.fetch_add(keys.len() as u32, Ordering::SeqCst);
        async move { Ok::<_, std::io::Error>(keys.into_iter().map(|key| (key, 1_u64)).collect()) }
    };
    let found = cache
        .get_or_load_many(["A", "a"], load)
        .ttl("1m")
        .wait()
        .unwrap();
    assert_eq!((found["A"], found["a"]), (1, 1));
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[test]
fn a_lock_is_one_lock_under_all_spellings() {
    let cache = Cache::builder().middleware(Lowercase).build().unwrap();
    let blocking = cache.blocking();
    let _lock = blocking.lock("Report").wait().unwrap();
    assert!(blocking.is_locked("REPORT").unwrap());
}

#[test]
fn invalidations_are_told_as_they_were_written() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&seen);
    let cache = Cache::builder()
        .middleware(Prefix::new("x:"))
        .observer(move |event: &Event<'_>| {
            if let Event::Invalidated { selector } = event {
                sink.lock().unwrap().push(format!("{selector:?}"));
            }
        })
        .build()
        .unwrap();
    cache.blocking().delete("a").unwrap();
    cache.blocking().delete_prefix("b").unwrap();
    assert_eq!(*seen.lock().unwrap(), ["Keys([\"a\"])", "Prefix(\"b\")"]);
}

#[test]
fn the_way_back_leads_to_the_same_key() {
    let all: [&dyn Middleware; 2] = [&Prefix::new("x*:"), &Lowercase];
    for middleware in all {
        for key in ["", "user:7", "User:Ä", "x*:x*:k", "ΑΣ", "İ"] {
            let kept = middleware.key(key);
            let back = middleware.original(&kept).into_owned();
            assert_eq!(
                middleware.key(&back),
                kept,
                "{} of {key:?}",
                middleware.name()
            );
        }
    }
}

#[test]
fn the_beginning_of_a_key_becomes_the_beginning_of_what_it_becomes() {
    for (prefix, rest) in [("ΑΣ", "Β:1"), ("User:", "ΣΑΣ"), ("İ", "x")] {
        let whole = format!("{prefix}{rest}");
        let kept: Cow<'_, str> = Lowercase.key(&whole);
        assert!(kept.starts_with(&*Lowercase.prefix(prefix)), "{whole}");
    }
}
