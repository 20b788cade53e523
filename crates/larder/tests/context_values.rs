//! Values of the context (`{@client}`) wherever a template can stand.

mod support;

use std::sync::atomic::{AtomicU32, Ordering};

use larder::{
    Cache, KeyPart, Refused, Template, cache_put, cached, invalidates, rate_limit, scope,
};
use support::{World, secs};

fn inside<R>(client: &str, f: impl FnOnce() -> R) -> R {
    scope().with("client", client).run(f)
}

#[cached(cache = cache, key = "{@client}:page:{n}", ttl = "1h", tags = ["pages", "of:{@client}"])]
fn page(cache: &Cache, n: u64, runs: &AtomicU32) -> u32 {
    let _ = (cache, n);
    runs.fetch_add(1, Ordering::SeqCst)
}

#[invalidates(keys = ["{@client}:page:{n}"], cache = cache)]
fn changed(cache: &Cache, n: u64) {
    let _ = (cache, n);
}

#[invalidates(tags = ["of:{@client}"], cache = cache)]
fn gone(cache: &Cache) {
    let _ = cache;
}

#[invalidates(prefix = "{@client}:", cache = cache)]
fn emptied(cache: &Cache) {
    let _ = cache;
}

#[invalidates(pattern = "{@client}:*:{n}", cache = cache)]
fn matched(cache: &Cache, n: u64) {
    let _ = (cache, n);
}

#[test]
fn keys_and_tags_are_each_clients_own() {
    let (cache, runs) = (Cache::builder().build().unwrap(), AtomicU32::new(0));
    let call = |client: &str| inside(client, || page(&cache, 1, &runs));
    assert_eq!((call("a"), call("b"), call("a"), call("b")), (0, 1, 0, 1));
    cache.blocking().delete_tags(["of:a"]).unwrap();
    assert_eq!((call("a"), call("b")), (2, 1));
}

#[test]
fn edges_forget_what_the_client_at_hand_has() {
    let edges: [fn(&Cache); 4] = [
        |cache| changed(cache, 1),
        gone,
        emptied,
        |cache| matched(cache, 1),
    ];
    for (at, edge) in edges.into_iter().enumerate() {
        let (cache, runs) = (Cache::builder().build().unwrap(), AtomicU32::new(0));
        let call = |client: &str| inside(client, || page(&cache, 1, &runs));
        assert_eq!((call("a*"), call("ab")), (0, 1));
        inside("a*", || edge(&cache));
        assert_eq!((call("a*"), call("ab")), (2, 1), "edge {at}");
    }
}

#[test]
fn what_is_put_stands_under_the_clients_key_and_tag() {
    #[cache_put(cache = cache, key = "{@client}:n", ttl = "1h", tags = ["of:{@client}"])]
    fn put(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n
    }
    let cache = Cache::builder().build().unwrap();
    inside("a", || put(&cache, 1));
    assert_eq!(cache.blocking().get::<u64>("a:n").unwrap(), Some(1));
    cache.blocking().delete_tags(["of:a"]).unwrap();
    assert_eq!(cache.blocking().get::<u64>("a:n").unwrap(), None);
}

#[test]
fn guards_count_each_client_for_itself() {
    #[rate_limit(cache = cache, limit = 1, per = "1h", key = "{@client}")]
    fn call(cache: &Cache) -> Result<(), Refused> {
        let _ = cache;
        Ok(())
    }
    let cache = Cache::builder().build().unwrap();
    assert!(inside("a", || call(&cache)).is_ok());
    assert!(inside("b", || call(&cache)).is_ok());
    assert!(inside("a", || call(&cache)).is_err());
}

#[test]
fn a_template_takes_transforms_of_context_values() {
    let template = Template::parse("{@client:lower}:{n}").unwrap();
    let render = || template.render([("n", &1 as &dyn KeyPart)]).unwrap();
    assert_eq!(inside("ACME", render), "acme:1");
}

#[test]
fn a_value_that_is_absent_is_like_no_value_that_there_is() {
    let (cache, runs) = (Cache::builder().build().unwrap(), AtomicU32::new(0));
    assert_eq!(page(&cache, 1, &runs), 0, "outside of all scopes");
    for client in ["", "none", "%none"] {
        assert!(inside(client, || page(&cache, 1, &runs)) > 0, "{client}");
    }
    assert_eq!(page(&cache, 1, &runs), 0);
    assert_eq!(page::key(&cache, 1, &runs).as_str(), "%none:page:1");
}

#[test]
fn an_async_function_has_the_values_of_its_own_task() {
    #[cached(cache = cache, key = "{@client}:n", ttl = "1h", tags = ["of:{@client}"])]
    async fn client(cache: Cache) -> String {
        let _ = cache;
        "value".to_owned()
    }
    let world = World::new();
    let cache = world.cache();
    let a = world.spawn(scope().with("client", "a").wrap(client(cache.clone())));
    let b = world.spawn(scope().with("client", "b").wrap(client(cache.clone())));
    world.settle();
    drop((a.value(), b.value()));
    let mut keys = cache.blocking().scan("*").unwrap();
    keys.sort();
    assert_eq!(keys, ["a:n", "b:n"]);
    cache.blocking().delete_tags(["of:b"]).unwrap();
    assert_eq!(cache.blocking().scan("*").unwrap(), ["a:n"]);
}

#[test]
fn a_reload_behind_keeps_the_key_and_the_tags_of_the_call_that_it_is_for() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached(cache = cache, key = "{@client}:n", ttl = "1m", stale = "1h", tags = ["of:{@client}"])]
    fn number(cache: Cache) -> u32 {
        let _ = cache;
        RUNS.fetch_add(1, Ordering::SeqCst)
    }
    let world = World::new();
    let cache = world.cache();
    let call = || inside("a", || number(cache.clone()));
    assert_eq!(call(), 0);
    world.advance(secs(61));
    assert_eq!(call(), 0);
    world.settle();
    assert_eq!(call(), 1, "reloaded behind");
    cache.blocking().delete_tags(["of:a"]).unwrap();
    assert_eq!(call(), 2, "the tag is still the client's");
}
