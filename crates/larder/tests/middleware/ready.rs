//! The middleware that is ready to use.

use std::sync::{Arc, Mutex};

use larder::middleware::{Logging, MemoryLimit};
use larder::{Cache, ErrorKind, Event, cached};

#[test]
fn logging_writes_a_line_for_each_operation() {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let logging = Logging::new(move |line| sink.lock().unwrap().push(line.to_string()));
    let cache = Cache::builder().middleware(logging).build().unwrap();
    let cache = cache.blocking();
    cache.get::<u64>("k").unwrap();
    cache.delete_tags(["t"]).unwrap();
    let lines = lines.lock().unwrap();
    assert!(lines[0].starts_with("get k: Miss in "), "{lines:?}");
    assert!(
        lines[1].starts_with("invalidate Tags([\"t\"]): Done in "),
        "{lines:?}"
    );
}

fn limited(log: &Arc<Mutex<Vec<String>>>) -> Cache {
    let log = Arc::clone(log);
    Cache::builder()
        .weigher(|text: &String| u32::try_from(text.len()).unwrap_or(u32::MAX))
        .middleware(MemoryLimit::new(2..=4).unwrap())
        .observer(move |event: &Event<'_>| {
            if matches!(event, Event::LeftOut { .. }) {
                log.lock().unwrap().push(event.to_string());
            }
        })
        .build()
        .unwrap()
}

#[test]
fn what_is_too_light_or_too_heavy_is_returned_and_not_stored() {
    #[cached(cache = cache, key = "text:{n}", ttl = "1m")]
    fn text(cache: &Cache, n: usize) -> String {
        let _ = cache;
        "x".repeat(n)
    }
    let log = Arc::default();
    let cache = limited(&log);
    for n in 1..=5 {
        assert_eq!(text(&cache, n).len(), n);
        let stored = cache.blocking().get::<String>(format!("text:{n}")).unwrap();
        assert_eq!(stored.is_some(), (2..=4).contains(&n), "{n}");
    }
    let told = log.lock().unwrap();
    let expected = [
        "MemoryLimit left out the set of `text:1`",
        "MemoryLimit left out the set of `text:5`",
    ];
    assert_eq!(*told, expected);
}

#[test]
fn each_value_of_a_batch_is_weighed_for_itself() {
    let cache = limited(&Arc::default());
    let entries = ["a", "bb", "ccccc"].map(|text| (text, text.to_owned()));
    assert_eq!(
        cache.blocking().set_many(entries).ttl("1m").wait().unwrap(),
        1
    );
    let load = |keys: Vec<String>| async move {
        Ok::<_, std::io::Error>(keys.iter().map(|key| (key.clone(), key.clone())).collect())
    };
    let found = cache
        .get_or_load_many(["d", "eee"], load)
        .ttl("1m")
        .wait()
        .unwrap();
    assert_eq!(found.len(), 2, "what is not stored is returned");
    let mut kept = cache.blocking().scan("*").unwrap();
    kept.sort();
    assert_eq!(kept, ["bb", "eee"]);
}

#[test]
fn a_write_that_is_left_out_leaves_what_was_there() {
    let cache = limited(&Arc::default());
    let cache = cache.blocking();
    assert!(cache.set("k", "abc").ttl("1m").wait().unwrap());
    assert!(!cache.set("k", "abcdef").ttl("1m").wait().unwrap());
    assert_eq!(cache.get::<String>("k").unwrap().as_deref(), Some("abc"));
}

#[test]
fn bounds_that_nothing_fits_into_are_refused() {
    #[allow(clippy::reversed_empty_ranges)]
    let error = MemoryLimit::new(5..=4).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains("give the smaller one first"),
        "{error}"
    );
}
