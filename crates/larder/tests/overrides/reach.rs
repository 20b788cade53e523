//! How far overrides reach: to the calls of the scope, not to what these call, nor to what runs behind them.

use larder::{Cache, cached, scope};

#[cached(cache = cache, key = "outer:{id}", ttl = "1h")]
fn outer(cache: &Cache, id: u64) -> u64 {
    inner(cache, id) + inner(cache, id + 1)
}

#[cached(cache = cache, key = "inner:{id}", ttl = "1h")]
fn inner(cache: &Cache, id: u64) -> u64 {
    let _ = cache;
    id
}

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

#[test]
fn what_a_bypassed_function_calls_is_cached_as_ever() {
    let cache = cache();
    scope().bypass().run(|| outer(&cache, 1));
    let blocking = cache.blocking();
    assert!(!blocking.exists("outer:1").unwrap());
    assert!(blocking.exists("inner:1").unwrap() && blocking.exists("inner:2").unwrap());
}

#[test]
fn a_key_and_a_ttl_are_not_handed_down() {
    let cache = cache();
    scope().key("mine").ttl("1m").run(|| outer(&cache, 1));
    let blocking = cache.blocking();
    for (key, seconds) in [("mine", 60), ("inner:1", 3_600), ("inner:2", 3_600)] {
        let left = blocking.remaining_ttl(key).unwrap();
        let Some(larder::Remaining::For(left)) = left else {
            panic!("{key}: {left:?}");
        };
        assert!(
            left.as_secs() < seconds && left.as_secs() + 5 > seconds,
            "{key}"
        );
    }
    assert!(!blocking.exists("outer:1").unwrap());
}

#[test]
fn a_ttl_is_not_handed_down_to_a_call_that_loads_on_a_thread_beside_it() {
    #[cached(cache = cache, key = "beside", ttl = "1h", hard_timeout = "1m")]
    fn beside(cache: &Cache) -> Result<u64, larder::Refused> {
        let _ = cache;
        Ok(1)
    }

    #[cached(cache = cache, key = "around", ttl = "1h")]
    fn around(cache: &Cache) -> Result<u64, larder::Refused> {
        beside(cache)
    }

    let cache = cache();
    let of = |ttl: &'static str, call: &dyn Fn() -> Result<u64, larder::Refused>| {
        scope().ttl(ttl).run(call).unwrap();
        let left = cache.blocking().remaining_ttl("beside").unwrap();
        let Some(larder::Remaining::For(left)) = left else {
            panic!("{left:?}");
        };
        cache.blocking().clear().unwrap();
        left.as_secs().div_ceil(60)
    };
    assert_eq!(of("1m", &|| around(&cache)), 60, "its own");
    assert_eq!(
        of("2m", &|| beside(&cache)),
        2,
        "the call of the scope itself"
    );
}

#[test]
fn a_scope_inside_a_body_holds_for_the_calls_there() {
    #[cached(cache = cache, key = "careful:{id}", ttl = "1h")]
    fn careful(cache: &Cache, id: u64) -> u64 {
        scope().bypass().run(|| inner(cache, id))
    }

    let cache = cache();
    scope().ttl("1m").run(|| careful(&cache, 1));
    assert!(cache.blocking().exists("careful:1").unwrap());
    assert!(!cache.blocking().exists("inner:1").unwrap());
}

#[test]
fn a_scope_in_a_scope_adds_to_it_and_ends_with_itself() {
    let cache = cache();
    scope().bypass().run(|| {
        scope().ttl("1m").run(|| inner(&cache, 1));
        assert!(
            !cache.blocking().exists("inner:1").unwrap(),
            "still bypassed"
        );
    });
    inner(&cache, 1);
    assert!(cache.blocking().exists("inner:1").unwrap());
}

#[test]
fn a_panic_in_a_body_leaves_nothing_behind() {
    #[cached(cache = cache, key = "never:{id}", ttl = "1h")]
    fn never(cache: &Cache, id: u64) -> u64 {
        let _ = cache;
        panic!("no {id}")
    }

    let cache = cache();
    scope().bypass().run(|| {
        let call = std::panic::AssertUnwindSafe(|| never(&cache, 1));
        std::panic::catch_unwind(call).unwrap_err();
        inner(&cache, 1);
        assert!(
            !cache.blocking().exists("inner:1").unwrap(),
            "the mask is off again"
        );
    });
    inner(&cache, 1);
    assert!(cache.blocking().exists("inner:1").unwrap());
}
