//! Caches from URLs, caches by name, and what is told when one is written wrong.

mod support;

use larder::{Cache, ErrorKind, Operations, Policy};
use support::{World, secs};

fn refusal(url: &str) -> String {
    let error = match Cache::builder().url(url) {
        Err(error) => error,
        Ok(builder) => builder.build().unwrap_err(),
    };
    assert!(
        matches!(error.kind(), ErrorKind::Config | ErrorKind::InvalidPolicy),
        "{error:?}"
    );
    error.to_string()
}

#[test]
fn a_url_says_all_that_a_builder_can() {
    let world = World::new();
    let url = "memory://?size=2&prefix=shop:&ttl=10m&name=books&background_loads=3";
    let cache = world.builder().url(url).unwrap().build().unwrap();
    assert_eq!(cache.name(), "books");
    let blocking = cache.blocking();
    for n in 0..10_u64 {
        assert!(
            blocking.set(format!("k:{n}"), &n).wait().unwrap(),
            "the ttl is the url's"
        );
    }
    assert_eq!(cache.len(), 2);
    blocking.set("k", &1_u64).wait().unwrap();
    assert_eq!(blocking.explain("k").unwrap().key, "shop:k");
    world.advance(secs(599));
    assert!(blocking.exists("k").unwrap());
    world.advance(secs(1));
    assert!(!blocking.exists("k").unwrap());
}

#[test]
fn a_url_can_bound_by_weight() {
    let cache = Cache::builder()
        .url("memory://?weight=10kb")
        .unwrap()
        .build()
        .unwrap();
    for n in 0..1_000_u64 {
        let policy = Policy::new().ttl("1h").weight(100);
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .policy(policy)
            .wait()
            .unwrap();
    }
    assert!(
        (8_000..=10_000).contains(&cache.weight()),
        "{}",
        cache.weight()
    );
}

#[test]
fn values_of_parameters_are_percent_decoded() {
    let cache = Cache::builder()
        .url("memory://?prefix=a%26b%3D%C3%A9:")
        .unwrap();
    let cache = cache.build().unwrap();
    assert_eq!(cache.blocking().explain("k").unwrap().key, "a&b=é:k");
}

#[test]
fn off_is_a_cache_that_holds_nothing() {
    let cache = Cache::builder()
        .url("off://?size=10")
        .unwrap()
        .build()
        .unwrap();
    assert_eq!(cache.switched_off(), Operations::ALL);
    assert!(!cache.blocking().set("k", &1_u64).ttl("1h").wait().unwrap());
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), None);
    assert_eq!(cache.len(), 0);
}

#[test]
fn what_is_misspelt_is_answered_with_what_was_meant() {
    assert_eq!(
        refusal("memroy://"),
        "url: unknown scheme `memroy` (did you mean `memory`?)"
    );
    assert_eq!(
        refusal("memory://?szie=10"),
        "url: unknown parameter `szie` (did you mean `size`?)"
    );
    assert!(
        !refusal("elsewhere://localhost").contains("did you mean"),
        "nothing is near"
    );
}

#[test]
fn what_is_written_wrong_says_what_is_due() {
    for (url, message) in [
        ("memory", "write it like `memory://?size=10000`"),
        ("", "write it like `memory://?size=10000`"),
        (
            "memory://localhost",
            "`memory://` names no place: leave out `localhost`",
        ),
        (
            "memory://?size=many",
            "`size=many`: expected a whole number",
        ),
        ("memory://?size=-1", "`size=-1`: expected a whole number"),
        ("memory://?size", "`size=`: expected a whole number"),
        ("memory://?size=0", "give it at least 1"),
        ("memory://?weight=heavy", "a size is a number and a unit"),
        ("memory://?ttl=10", "needs a unit"),
        ("memory://?ttl=0s", "cannot be zero"),
        ("memory://?prefix=%zz", "expected two hex digits after `%`"),
        ("memory://?prefix=%C3", "decodes to no UTF-8 text"),
        ("memory://?prefix=%+1", "expected two hex digits after `%`"),
    ] {
        let told = refusal(url);
        assert!(told.contains(message), "{url}: `{told}` lacks `{message}`");
    }
}

#[test]
fn a_builder_reports_what_was_given_wrong_when_it_builds() {
    let weight = Cache::builder().weight("heavy").build().unwrap_err();
    assert_eq!(weight.kind(), ErrorKind::Config);
    let defaults = Cache::builder()
        .defaults(Policy::new().ttl("0s"))
        .build()
        .unwrap_err();
    assert_eq!(defaults.kind(), ErrorKind::InvalidPolicy);
    let soft = Policy::new().ttl("1m").soft("2m");
    assert!(Cache::builder().defaults(soft).build().is_err());
}

#[test]
fn a_cache_is_known_by_the_name_it_was_registered_under() {
    let cache = Cache::builder().name("articles").build().unwrap();
    larder::register(&cache).unwrap();
    cache.blocking().set("k", &1_u64).ttl("1h").wait().unwrap();
    let again = larder::named("articles").unwrap();
    assert_eq!(
        again.blocking().get::<u64>("k").unwrap(),
        Some(1),
        "it is the same cache"
    );
    let other = Cache::builder().name("articles").build().unwrap();
    let error = larder::register(&other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadySetUp);
    assert_eq!(
        error.to_string(),
        "register: there is a cache named `articles` already"
    );
    let error = larder::named("artciles").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "named: no cache is registered as `artciles`; did you mean `articles`?"
    );
    assert_eq!(
        larder::named("xyz").unwrap_err().to_string(),
        "named: no cache is registered as `xyz`"
    );
}
