//! Validators are kept in stores beside their values: whoever loads next, in whatever process, can ask whether the value is still true.

#![cfg(all(feature = "macros", feature = "redis", feature = "sqlite"))]

#[path = "disk/mod.rs"]
mod disk;
#[path = "servers/redis.rs"]
mod redis_server;
#[path = "servers/mod.rs"]
mod servers;

use std::sync::{Arc, Mutex};

use larder::runtime::{Runtime, SystemRuntime};
use larder::store::{Address, Opening, open};
use larder::{Cache, Loaded, cached, kept};

/// What the source was asked with.
static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Each call goes to the source, so that each sees what is kept.
#[cached(cache = cache, key = "page:{site}", ttl = "1h", failover)]
fn page(cache: &Cache, site: &str) -> Result<Loaded<String>, std::io::Error> {
    let _ = cache;
    let kept = kept::<String>();
    let validator = kept.as_ref().and_then(|kept| kept.validator());
    ASKED.lock().unwrap().push(format!("{site} {validator:?}"));
    Ok(match kept {
        Some(kept) if kept.validator() == Some("W/\"1\"") => kept.not_modified(),
        _ => Loaded::new(format!("all of {site}")).validator("W/\"1\""),
    })
}

/// A cache as another process would have it.
fn cache(url: &str) -> Cache {
    let mut address = Address::parse(url).unwrap();
    let runtime: Arc<dyn Runtime> = Arc::new(SystemRuntime::new());
    let store = open(&mut Opening {
        address: &mut address,
        prefix: "",
        runtime: &runtime,
    });
    Cache::builder().store(store.unwrap()).build().unwrap()
}

fn is_kept_with_its_validator(url: &str, site: &str) {
    let (first, second) = (cache(url), cache(url));
    assert_eq!(page(&first, site).unwrap().validated_by(), Some("W/\"1\""));
    let renewed = page(&second, site).unwrap();
    assert_eq!(*renewed, format!("all of {site}"));
    assert_eq!(second.stats().not_modified, 1);
    assert_eq!(second.stats().stored, 1, "the store has it anew");
    assert_eq!(page(&first, site).unwrap(), renewed);
    assert_eq!(first.stats().not_modified, 1);
    first.blocking().delete(format!("page:{site}")).unwrap();
    page(&second, site).unwrap();
    let asked = ASKED.lock().unwrap();
    let asked: Vec<&String> = asked.iter().filter(|a| a.starts_with(site)).collect();
    let with = format!("{site} Some(\"W/\\\"1\\\"\")");
    let without = format!("{site} None");
    assert_eq!(asked, [&without, &with, &with, &without]);
}

#[test]
fn a_validator_is_kept_in_redis() {
    let server = redis_server::alone();
    let url = format!(
        "redis://{}/0?timeout=30s&connect_timeout=20s",
        server.address()
    );
    is_kept_with_its_validator(&url, "redis");
}

#[test]
fn a_validator_is_kept_in_sqlite() {
    let directory = disk::Directory::new();
    let url = format!(
        "sqlite://{}?timeout=30s",
        directory.join("pages.db").display()
    );
    is_kept_with_its_validator(&url, "sqlite");
}

#[cfg(feature = "json")]
#[test]
fn as_bytes_it_is_a_value_and_a_validator() {
    let loaded = Loaded::new(7_u64).validator("v1").ttl("1m").skip_store();
    let text = serde_json::to_string(&loaded).unwrap();
    assert_eq!(text, r#"{"value":7,"validator":"v1"}"#);
    let read = |text| serde_json::from_str::<Loaded<u64>>(text);
    assert_eq!(read(&text).unwrap(), loaded);
    assert_eq!(read(r#"[7,"v1"]"#).unwrap(), loaded);
    let more = r#"{"later":[1],"validator":null,"value":7}"#;
    assert_eq!(read(more).unwrap(), Loaded::new(7));
    assert_eq!(read(r#"{"value":7}"#).unwrap().validated_by(), None);
    let missing = read(r#"{"validator":"v1"}"#).unwrap_err();
    assert!(missing.to_string().contains("missing field `value`"));
    assert!(read("[7]").is_err());
}
