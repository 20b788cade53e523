//! Views of a cache, behind its middleware.

use larder::middleware::{Lowercase, Prefix};
use larder::{Cache, Operations, cached};

fn cache() -> Cache {
    Cache::builder()
        .prefix("own:")
        .middleware(Lowercase)
        .middleware(Prefix::new("x:"))
        .build()
        .unwrap()
}

#[test]
fn a_view_meets_its_cache_under_the_rewritten_key() {
    let cache = cache();
    let view = cache.scoped("Shop[7]:");
    view.blocking()
        .set("Name", "Bakery")
        .ttl("1m")
        .wait()
        .unwrap();
    cache
        .blocking()
        .set("shop7:name", "other")
        .ttl("1m")
        .wait()
        .unwrap();
    let got = cache.blocking().get::<String>("SHOP[7]:NAME").unwrap();
    assert_eq!(got.as_deref(), Some("Bakery"));
    assert_eq!(
        view.blocking().scan("*").unwrap(),
        ["shop[7]:name"],
        "in another case the view does not know its own prefix again"
    );
    assert_eq!(view.len(), 1);
    view.blocking().clear().unwrap();
    assert_eq!((view.len(), cache.len()), (0, 1));
}

#[test]
fn a_view_of_a_cache_whose_keys_keep_their_case_scans_its_own_names() {
    let cache = Cache::builder()
        .middleware(Prefix::new("x:"))
        .build()
        .unwrap();
    let view = cache.scoped("shop:7:");
    view.blocking()
        .set("name", "Bakery")
        .ttl("1m")
        .wait()
        .unwrap();
    assert_eq!(view.blocking().scan("n*").unwrap(), ["name"]);
    assert_eq!(view.blocking().delete_many(["name"]).unwrap(), 1);
}

#[test]
fn a_function_of_a_view_is_kept_behind_the_middleware() {
    #[cached(cache = cache, key = "N:{n}", ttl = "1m")]
    fn double(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n * 2
    }
    let view = cache().scoped("a:");
    assert_eq!(double(&view, 2), 4);
    assert_eq!(double::key(&view, 2).as_str(), "own:x:a:n:2");
    assert!(double::invalidate(&view, 2).unwrap());
}

#[test]
fn callbacks_and_rules_of_a_view_are_about_its_own_keys() {
    let cache = Cache::builder().build().unwrap();
    let view = cache.scoped("shop:7:");
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&told);
    let _on = view.on(Operations::WRITE, "user:*", move |told| {
        sink.lock().unwrap().extend(told.key.map(str::to_owned));
    });
    for handle in [&cache, &view] {
        handle
            .blocking()
            .set("user:1", &1_u64)
            .ttl("1m")
            .wait()
            .unwrap();
    }
    assert_eq!(*told.lock().unwrap(), ["shop:7:user:1"]);
    view.rules().add("renamed -> user:{id}".parse().unwrap());
    let happened = view
        .blocking()
        .happened_named("renamed", [("id", 1)])
        .unwrap();
    assert_eq!(happened.forgotten, 1);
    assert_eq!(cache.blocking().scan("*").unwrap(), ["user:1"]);
}
