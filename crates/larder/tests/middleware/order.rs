//! One order for every operation.

use larder::middleware::{Action, Lowercase, Prefix};
use larder::{Cache, cached};

use crate::Spy;

/// What two spies write around one operation.
fn around(action: &str, after: &str) -> [String; 4] {
    [
        format!("outer before {action}"),
        format!("inner before {action}"),
        format!("inner after {after}"),
        format!("outer after {after}"),
    ]
}

fn scene() -> (Spy, Cache) {
    let spy = Spy::new().beside("outer");
    let cache = Cache::builder()
        .middleware(spy.clone())
        .middleware(spy.beside("inner"))
        .build()
        .unwrap();
    (spy, cache)
}

#[test]
fn the_order_is_the_same_for_every_direct_operation() {
    let (spy, cache) = scene();
    let cache = cache.blocking();
    cache.set("k", &1_i64).ttl("1m").wait().unwrap();
    assert_eq!(spy.take(), around("set", "set k: Done"));
    cache.get::<i64>("k").unwrap();
    assert_eq!(spy.take(), around("get", "get k: Hit"));
    cache.exists("k").unwrap();
    assert_eq!(spy.take(), around("exists", "exists k: Hit"));
    cache.increment("k", 1).ttl("1m").wait().unwrap();
    assert_eq!(spy.take(), around("increment", "increment k: Done"));
    cache.touch("k", "1h").unwrap();
    assert_eq!(spy.take(), around("touch", "touch k: Done"));
    cache.delete("k").unwrap();
    assert_eq!(spy.take(), around("delete", "delete k: Done"));
    cache.delete_prefix("k").unwrap();
    assert_eq!(
        spy.take(),
        around("invalidate", "invalidate Prefix(\"k\"): Nothing")
    );
    cache.delete_pattern("*").unwrap();
    assert_eq!(
        spy.take(),
        around("invalidate", "invalidate Pattern(\"*\"): Nothing")
    );
    cache.delete_tags(["t"]).unwrap();
    assert_eq!(
        spy.take(),
        around("invalidate", "invalidate Tags([\"t\"]): Done")
    );
    cache.clear().unwrap();
    assert_eq!(spy.take(), around("invalidate", "invalidate All: Nothing"));
}

#[test]
fn the_order_is_the_same_for_a_cached_function() {
    #[cached(cache = cache, key = "n:{n}", ttl = "1m")]
    fn double(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n * 2
    }
    let (spy, cache) = scene();
    assert_eq!(double(&cache, 2), 4);
    let miss = [
        around("get", "get n:2: Miss"),
        around("load", "load n:2: Done"),
        around("set", "set n:2: Done"),
    ];
    assert_eq!(spy.take(), miss.concat());
    assert_eq!(double(&cache, 2), 4);
    assert_eq!(spy.take(), around("get", "get n:2: Hit"));
}

#[test]
fn whoever_leaves_out_is_the_last_to_be_asked() {
    let spy = Spy::new().beside("outer");
    let refusing = spy.beside("middle").refusing(Action::Set, "k");
    let cache = Cache::builder()
        .middleware(spy.clone())
        .middleware(refusing)
        .middleware(spy.beside("inner"))
        .build()
        .unwrap();
    assert!(!cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap());
    let expected = [
        "outer before set",
        "middle before set",
        "outer after set k: LeftOut",
    ];
    assert_eq!(spy.take(), expected);
}

#[test]
fn keys_pass_from_the_first_to_the_last_and_back() {
    let lower_last = Cache::builder()
        .middleware(Prefix::new("EU:"))
        .middleware(Lowercase);
    let lower_first = Cache::builder()
        .middleware(Lowercase)
        .middleware(Prefix::new("EU:"));
    let kept = |builder: larder::Builder| {
        let spy = Spy::new();
        let cache = builder.middleware(spy.clone()).build().unwrap();
        cache
            .blocking()
            .set("User:7", &1_u64)
            .ttl("1m")
            .wait()
            .unwrap();
        (spy.take(), cache.blocking().scan("*").unwrap())
    };
    let (keys, scanned) = kept(lower_last);
    assert_eq!(keys, ["set eu:user:7: Done"]);
    assert_eq!(
        scanned,
        ["eu:user:7"],
        "the prefix that was put before is in lower case, and is not known again"
    );
    let (keys, scanned) = kept(lower_first);
    assert_eq!(keys, ["set EU:user:7: Done"]);
    assert_eq!(scanned, ["user:7"]);
}
