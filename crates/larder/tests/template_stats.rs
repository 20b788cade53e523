//! Counts by key template: of functions, and of direct operations.

mod support;

use larder::middleware::Prefix;
use larder::{Cache, KeyPart, Template, TemplateStats, cached};
use support::{Oops, World, secs};

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

/// The row of a template.
#[track_caller]
fn row(cache: &Cache, template: &str) -> TemplateStats {
    let rows = cache.stats_by_template();
    let found = rows.iter().find(|row| row.template == template);
    found
        .cloned()
        .unwrap_or_else(|| panic!("no `{template}` in {rows:#?}"))
}

#[test]
fn functions_are_counted_by_their_template() {
    #[cached(cache = cache, key = "double:{n}", ttl = "1m")]
    fn double(cache: &Cache, n: u64) -> Result<u64, Oops> {
        let _ = cache;
        if n == 13 { Err(Oops("no")) } else { Ok(n * 2) }
    }
    #[cached(cache = cache, key = "half:{n}", ttl = "1m")]
    fn half(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n / 2
    }
    let cache = Cache::builder().build().unwrap();
    assert!(cache.stats_by_template().is_empty());
    for n in [1, 1, 1, 2] {
        double(&cache, n).unwrap();
    }
    assert!(double(&cache, 13).is_err());
    half(&cache, 8);
    let doubles = row(&cache, "double:{n}");
    assert_eq!(
        (
            doubles.fresh,
            doubles.misses,
            doubles.stored,
            doubles.load_failures
        ),
        (2, 3, 2, 1)
    );
    assert!(doubles.functions.len() == 1 && doubles.functions[0].ends_with("::double"));
    assert_eq!(row(&cache, "half:{n}").stored, 1);
    let templates: Vec<String> = cache
        .stats_by_template()
        .into_iter()
        .map(|row| row.template)
        .collect();
    assert_eq!(
        templates,
        ["double:{n}", "half:{n}"],
        "sorted; nothing direct was done"
    );
}

#[test]
fn a_cache_lists_the_functions_that_it_keeps_entries_of() {
    #[cached(cache = cache, key = "f:{n}", ttl = "1m")]
    fn used(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n
    }
    #[cached(cache = cache, key = "put:{n}", ttl = "1m")]
    fn only_put(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n
    }
    let (a, b) = (
        Cache::builder().build().unwrap(),
        Cache::builder().build().unwrap(),
    );
    used(&a, 1);
    only_put::put(&a, 1, 5).unwrap();
    assert_eq!(row(&a, "put:{n}").stored, 1);
    assert!(b.stats_by_template().is_empty());
}

#[test]
fn functions_with_one_template_are_one_row_and_those_without_are_rows_of_their_own() {
    #[cached(cache = cache, key = "n:{n}", ttl = "1m")]
    fn one(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n
    }
    #[cached(cache = cache, key = "n:{n}", ttl = "1m")]
    fn other(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n
    }
    #[cached(cache = cache, ttl = "1m", skip = [cache])]
    fn automatic(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n
    }
    let cache = Cache::builder().build().unwrap();
    one(&cache, 1);
    other(&cache, 2);
    automatic(&cache, 1);
    let both = row(&cache, "n:{n}");
    assert_eq!((both.functions.len(), both.misses, both.stored), (2, 2, 2));
    let own = row(&cache, "");
    assert!(own.functions[0].ends_with("::automatic"), "{own:?}");
}

#[test]
fn direct_operations_are_counted_under_the_template_of_their_key() {
    let cache = Cache::builder()
        .prefix("own:")
        .middleware(Prefix::new("x:"))
        .template(template("user:{id}"))
        .template(template("search:{q}:page:{page}"))
        .build()
        .unwrap();
    let user = template("user:{id}");
    let key = |id: &str| user.render([("id", &id as &dyn KeyPart)]).unwrap();
    let blocking = cache.blocking();
    blocking.set(key("7"), &1_u64).ttl("1m").wait().unwrap();
    blocking.set(key("a:b"), &1_u64).ttl("1m").wait().unwrap();
    blocking.get::<u64>(key("7")).unwrap();
    blocking.get_many::<u64>([key("7"), key("none")]).unwrap();
    let load = || Ok::<_, Oops>(1_u64);
    blocking
        .get_or_load("search:x:page:2", load)
        .ttl("1m")
        .wait()
        .unwrap();
    blocking
        .get_or_load("search:x:page:2", load)
        .ttl("1m")
        .wait()
        .unwrap();
    blocking
        .set_many([("user:1", 1_u64), ("user:1:orders", 2)])
        .ttl("1m")
        .wait()
        .unwrap();
    blocking.increment("count", 1).ttl("1m").wait().unwrap();
    let users = row(&cache, "user:{id}");
    assert_eq!((users.fresh, users.misses, users.stored), (2, 1, 3));
    let searches = row(&cache, "search:{q}:page:{page}");
    assert_eq!(
        (
            searches.fresh,
            searches.misses,
            searches.loads,
            searches.stored
        ),
        (1, 1, 1, 1)
    );
    let rest = row(&cache, "");
    assert_eq!(
        (rest.stored, rest.misses),
        (2, 0),
        "`user:1:orders` is no `user:{{id}}`"
    );
    assert!(rest.functions.is_empty());
}

#[test]
fn a_batch_counts_each_of_its_keys() {
    let cache = Cache::builder()
        .template(template("k:{n}"))
        .build()
        .unwrap();
    let load = |keys: Vec<String>| async move {
        Ok::<_, Oops>(keys.into_iter().map(|key| (key, 1_u64)).collect())
    };
    cache
        .get_or_load_many(["k:1", "k:2"], load)
        .ttl("1m")
        .wait()
        .unwrap();
    cache
        .get_or_load_many(["k:1", "k:3"], load)
        .ttl("1m")
        .wait()
        .unwrap();
    let counted = row(&cache, "k:{n}");
    assert_eq!(
        (counted.fresh, counted.misses, counted.loads, counted.stored),
        (1, 3, 3, 3)
    );
}

#[test]
fn rows_add_up_to_the_counts_of_the_cache() {
    #[cached(cache = cache, key = "f:{n}", ttl = "1m", stale = "1m")]
    fn function(cache: Cache, n: u64) -> u64 {
        let _ = cache;
        n
    }
    let world = World::new();
    let cache = world.builder().template(template("k:{n}")).build().unwrap();
    for n in [1, 1, 2] {
        function(cache.clone(), n);
    }
    world.advance(secs(61));
    function(cache.clone(), 1);
    world.settle();
    for key in ["k:1", "k:1", "plain"] {
        let load = || Ok::<_, Oops>(1_u64);
        cache
            .blocking()
            .get_or_load(key, load)
            .ttl("1m")
            .wait()
            .unwrap();
        cache.blocking().get::<u64>("none").unwrap();
    }
    let all = cache.stats();
    let rows = cache.stats_by_template();
    let sum = |count: fn(&TemplateStats) -> u64| rows.iter().map(count).sum::<u64>();
    assert_eq!(sum(|row| row.hits()), all.hits());
    assert_eq!(sum(|row| row.misses), all.misses);
    assert_eq!(sum(|row| row.loads), all.loads);
    assert_eq!(sum(|row| row.stored), all.stored);
    assert!(all.refresh == 1 && all.misses == 7, "{all:?}");
}

#[test]
fn a_template_knows_its_own_keys() {
    let cases = [
        ("user:{id}", "user:7", true),
        ("user:{id}", "user:", true),
        ("user:{id}", "user:7:x", false),
        ("user:{id}", "use", false),
        ("{a}-{b}!", "x-y!", true),
        ("{a}-{b}!", "x-y-z!", true),
        ("{a}-{b}!", "x-y", false),
        ("{a}é", "xé", true),
        ("{a}é", "x\u{a9}", false),
        ("plain", "plain", true),
        ("plain", "plainer", false),
        ("{a}", "", true),
        ("a:{a}:end", "a:x:end", true),
        ("a:{a}:end", "a:end", false),
    ];
    for (text, key, expected) in cases {
        assert_eq!(template(text).matches(key), expected, "{text} {key}");
    }
    let both = template("{a}-{b}:{c:lower}");
    let values = ["", "a-b", "A:B", "50 %", "*", "ü", "-"];
    for (a, b) in values.iter().flat_map(|a| values.map(|b| (*a, b))) {
        let parts = [("a", &a as &dyn KeyPart), ("b", &b), ("c", &a)];
        let key = both.render(parts).unwrap();
        assert!(both.matches(key.as_str()), "{key}");
    }
    let list = template("l:{l}:{o}").render([("l", &[1, 2] as &dyn KeyPart), ("o", &None::<u8>)]);
    assert!(template("l:{l}:{o}").matches(list.unwrap().as_str()));
}

#[test]
fn threads_count_together() {
    let cache = Cache::builder()
        .template(template("k:{n}"))
        .build()
        .unwrap();
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for _ in 0..500 {
                    cache.blocking().get::<u64>("k:1").unwrap();
                }
            });
        }
    });
    assert_eq!(row(&cache, "k:{n}").misses, 4_000);
}

#[cfg(feature = "serde")]
#[test]
fn hits_of_a_store_are_counted_by_template() {
    use std::sync::Arc;

    let runtime = Arc::new(larder::runtime::SystemRuntime::new());
    let store = Arc::new(larder::testing::MemoryStore::new(runtime));
    let node = || {
        let store = Arc::clone(&store) as Arc<dyn larder::store::Store>;
        Cache::builder()
            .store(store)
            .template(template("k:{n}"))
            .build()
            .unwrap()
    };
    let (a, b) = (node(), node());
    a.blocking().set("k:1", &1_u64).ttl("1m").wait().unwrap();
    b.blocking().get::<u64>("k:1").unwrap();
    let load = || Ok::<_, Oops>(2_u64);
    b.blocking()
        .get_or_load("k:1", load)
        .ttl("1m")
        .wait()
        .unwrap();
    assert_eq!(row(&a, "k:{n}").stored, 1);
    let read = row(&b, "k:{n}");
    assert_eq!(
        (read.hits(), read.loads),
        (2, 0),
        "from the store, and then from wherever it is"
    );
    assert!(read.store_hits > 0);
}
