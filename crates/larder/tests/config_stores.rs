//! Stores that come with the library, opened from configurations.

#![cfg(all(feature = "yaml", feature = "sqlite", feature = "file"))]

use larder::Cache;
use larder::config::Configuration;

fn built(text: &str) -> larder::Result<Cache> {
    let configuration = Configuration::from_text("a.yaml", text)?;
    Ok(configuration.build()?.remove(0))
}

/// A directory that goes with the test.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("larder-config-stores-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn two_caches_of_one_place_see_each_other() {
    let directory = Directory::new("shared");
    let place = directory.0.display();
    for url in [
        format!("sqlite://{place}/a.db"),
        format!("file://{place}/files"),
    ] {
        let text = format!("url: {url}\nprefix: 'p:'\nttl: 1h\ntimeout: 30s\nformat: msgpack\n");
        let (one, two) = (built(&text).unwrap(), built(&text).unwrap());
        assert!(one.blocking().set("k", &7_u64).wait().unwrap());
        assert_eq!(two.blocking().get::<u64>("k").unwrap(), Some(7), "{url}");
        assert_eq!(two.blocking().explain("k").unwrap().key, "p:k");
        let other = built(&text.replace("p:", "q:")).unwrap();
        assert_eq!(other.blocking().get::<u64>("k").unwrap(), None, "{url}");
    }
}

#[test]
fn what_a_store_or_the_codec_refuses_is_told_with_its_place() {
    let directory = Directory::new("wrong");
    let url = format!("sqlite://{}/a.db", directory.0.display());
    for (line, told) in [
        (
            "sizee: 1gb",
            "config: a.yaml:2:1: unknown key `sizee` (did you mean `size`?)",
        ),
        (
            "size: big",
            "config: a.yaml:2:7: `size=big`: expected a size like `64mb`",
        ),
        (
            "synchronous: never",
            "config: a.yaml:2:14: unknown value of `synchronous` `never`",
        ),
        (
            "format: xml",
            "config: a.yaml:2:9: unknown value of `format` `xml`; there is msgpack, json, postcard",
        ),
        (
            "max_size: big",
            "config: a.yaml:2:11: `max_size=big`: expected a size like `64mb`",
        ),
        (
            "sign_key_env: NOT_THERE_AT_ALL",
            "config: a.yaml:2:15: the environment variable `NOT_THERE_AT_ALL`, which should hold a secret, cannot be read",
        ),
    ] {
        let error = built(&format!("url: {url}\n{line}\n"))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(told), "{error}");
    }
}

#[test]
fn every_parameter_of_the_codec_may_stand_in_a_configuration() {
    let mut address = larder::store::Address::parse("x://h?other=1").unwrap();
    larder::Codec::from_address(&mut address).unwrap();
    let told = address.finish().unwrap_err().to_string();
    let (_, names) = told.split_once("there is ").unwrap();
    assert!(names.split(", ").count() > 10, "{told}");
    for name in names.split(", ") {
        let url = format!("memory://?{name}=x");
        assert!(Configuration::from_url(&url).is_ok(), "{name} is not known");
    }
}

#[test]
fn chains_routes_and_the_short_form_keep_values_where_they_say() {
    let directory = Directory::new("chain");
    let place = directory.0.display();
    let text = format!(
        "prefix: 'p:'\nttl: 1h\ntimeout: 30s\nlevels:\n  - url: memory://\n    ttl_cap: 1m\n  - url: sqlite://{place}/near.db\n    ttl_cap: 10m\n    dedupe: true\n  - file://{place}/far\nroutes:\n  'r:': sqlite://{place}/route.db\n"
    );
    let cache = built(&text).unwrap();
    assert!(cache.blocking().set("k", &1_u64).wait().unwrap());
    assert!(cache.blocking().set("r:k", &2_u64).wait().unwrap());
    // A write goes to the farthest level; the next call that could load brings it up.
    let other = built(&text).unwrap();
    let load = || Ok::<u64, std::io::Error>(9);
    assert_eq!(other.blocking().get_or_load("k", load).wait().unwrap(), 1);
    let at = |url: String, key: &str| {
        let text = format!("url: {url}\nprefix: 'p:'\nttl: 1h\ntimeout: 30s\n");
        built(&text).unwrap().blocking().get::<u64>(key).unwrap()
    };
    for (url, plain, routed) in [
        (format!("sqlite://{place}/near.db"), Some(1), None),
        (format!("file://{place}/far"), Some(1), None),
        (format!("sqlite://{place}/route.db"), None, Some(2)),
    ] {
        assert_eq!(at(url.clone(), "k"), plain, "{url}");
        assert_eq!(at(url.clone(), "r:k"), routed, "{url}");
    }
    assert_eq!(cache.blocking().get::<u64>("r:k").unwrap(), Some(2));
    let short = format!("url: sqlite://{place}/short.db\nmemory_ttl: 1m\nttl: 1h\ntimeout: 30s\n");
    let cache = built(&short).unwrap();
    assert!(cache.blocking().set("k", &3_u64).wait().unwrap());
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), Some(3));
    let left = built(&short).unwrap().blocking().get::<u64>("k").unwrap();
    assert_eq!(left, Some(3), "the store has it too");
}
