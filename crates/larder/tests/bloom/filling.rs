//! What a filter holds, how well it tells, and when it says so.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use larder::guard::Bloom;
use larder::{Cache, ErrorKind, Event, bloom};
use proptest::prelude::*;

use crate::support::World;

fn told() -> (Cache, Arc<std::sync::Mutex<Vec<String>>>) {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let cache = Cache::builder()
        .observer(move |event: &Event<'_>| {
            if let Event::FilterFull { .. }
            | Event::FilterNotReady { .. }
            | Event::RuledOut { .. } = event
            {
                tell.lock().unwrap().push(event.to_string());
            }
        })
        .build()
        .unwrap();
    (cache, told)
}

fn filled(cache: &Cache, filter: &Bloom, count: u64) {
    let keys = (0..count).map(|key| format!("user:{key}"));
    filter.add_many(cache, keys).wait().unwrap();
    filter.ready(cache).wait().unwrap();
}

/// How many of so many strangers may be there, in parts of a million.
fn strangers(cache: &Cache, filter: &Bloom, count: u64) -> u64 {
    let is_maybe = |key: &u64| filter.may_contain(cache, format!("stranger:{key}")).wait();
    let maybe = (0..count).filter(|key| is_maybe(key).unwrap()).count() as u64;
    maybe * 1_000_000 / count
}

#[test]
fn as_many_strangers_pass_as_was_said() {
    // Capacity, the share in parts of a million, how many are asked.
    for (capacity, share, asked) in [
        (10_000, 10_000, 100_000),
        (1_000, 100_000, 50_000),
        (2_000, 1_000, 200_000),
        (500, 300_000, 20_000),
    ] {
        let (cache, told) = told();
        let filter = Bloom::new("f", capacity, share as f64 / 1_000_000.0);
        filled(&cache, &filter, capacity);
        let passed = strangers(&cache, &filter, asked);
        println!("{capacity} keys, {share} of a million: {passed} pass");
        assert!(
            passed <= share,
            "{passed} of a million pass, {share} were said"
        );
        assert!(
            passed * 4 >= share,
            "more bits than were asked for: {passed}"
        );
        assert!(
            told.lock().unwrap().is_empty(),
            "a filter that is just full"
        );
    }
}

#[test]
fn small_filters_keep_the_promise_too() {
    // One of them says little: many, each with keys of its own.
    let cache = Cache::builder().build().unwrap();
    let mut passed = 0;
    for number in 0..200 {
        let filter = Bloom::new(format!("f{number}"), 8, "5%");
        let keys = (0..8).map(|key| format!("{number}:{key}"));
        filter.add_many(&cache, keys).wait().unwrap();
        filter.ready(&cache).wait().unwrap();
        let asked = (0..100).map(|key| format!("stranger:{number}:{key}"));
        passed += asked
            .filter(|key| filter.may_contain(&cache, key).wait().unwrap())
            .count();
    }
    assert!(passed <= 1_000, "{passed} of 20 000 pass, 5 % were said");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_added_is_never_ruled_out(
        keys in prop::collection::hash_set(".{0,40}", 1..200),
        capacity in 1_u64..400,
        share in 1_u32..999_999,
    ) {
        let cache = Cache::builder().build().unwrap();
        let filter = Bloom::new("f", capacity, f64::from(share) / 1_000_000.0);
        filter.ready(&cache).wait().unwrap();
        let (one, many): (HashSet<_>, HashSet<_>) = keys.iter().partition(|key| key.len() % 2 == 0);
        for key in one {
            filter.add(&cache, key).wait().unwrap();
        }
        filter.add_many(&cache, many).wait().unwrap();
        for key in &keys {
            prop_assert!(filter.may_contain(&cache, key).wait().unwrap());
        }
    }
}

#[test]
fn a_filter_rules_out_nothing_before_it_is_ready() {
    #[bloom(cache = cache, capacity = 100, false_positives = "1%", key = "{id}")]
    fn exists(cache: &Cache, id: u64) -> bool {
        let _ = cache;
        id < 10
    }

    let (cache, told) = told();
    assert!(exists(&cache, 1), "nothing was ever added");
    exists::add(&cache, 7).unwrap();
    assert!(exists(&cache, 1), "somebody has added one");
    assert!(exists::may_contain(&cache, 1).unwrap());
    assert!(!exists(&cache, 99));
    let said = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(said.len(), 1, "told once: {said:?}");
    assert!(
        said[0].contains("filling::exists") && said[0].ends_with("then say `ready`"),
        "{said:?}"
    );
    exists::ready(&cache).unwrap();
    assert!(!exists(&cache, 1));
    assert_eq!(told.lock().unwrap().len(), 1, "ruled out");
    assert!(exists::reset(&cache).unwrap());
    assert!(!exists::reset(&cache).unwrap(), "nothing is left");
    assert!(exists(&cache, 1), "forgotten, and so not ready");
}

#[test]
fn a_ready_filter_goes_on_being_filled() {
    let cache = Cache::builder().build().unwrap();
    let filter = Bloom::new("f", 100, "1%");
    filter.ready(&cache).wait().unwrap();
    assert!(!filter.may_contain(&cache, "new").wait().unwrap());
    assert!(filter.add(&cache, "new").wait().unwrap());
    assert!(filter.may_contain(&cache, "new").wait().unwrap());
    filter.add_many(&cache, [""; 0]).wait().unwrap();
    assert!(filter.add(&cache, "").wait().unwrap(), "a key like others");
    assert!(filter.may_contain(&cache, "").wait().unwrap());
}

#[test]
fn a_filter_that_holds_too_much_says_so_once() {
    let (cache, told) = told();
    let filter = Bloom::new("crowd", 1_000, "1%");
    filled(&cache, &filter, 1_000);
    assert!(told.lock().unwrap().is_empty());
    let more = (0..3_000).map(|key| format!("more:{key}"));
    for key in more {
        filter.add(&cache, key).wait().unwrap();
    }
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    let told = told[0]
        .strip_prefix("the filter `bloom:crowd:10112x7` holds about ")
        .unwrap();
    let (holds, rest) = told.split_once(' ').unwrap();
    assert_eq!(
        rest,
        "keys and was made for 1000: give it a greater capacity"
    );
    let holds: u64 = holds.parse().unwrap();
    assert!((1_050..1_500).contains(&holds), "{holds}");
}

#[test]
fn the_life_of_a_filter_begins_with_its_first_key() {
    let world = World::new();
    let cache = world.cache();
    let filter = Bloom::new("f", 100, "1%").ttl("1h");
    filter.add(&cache, "a").wait().unwrap();
    world.advance(Duration::from_secs(1_800));
    filter.ready(&cache).wait().unwrap();
    assert!(!filter.may_contain(&cache, "b").wait().unwrap());
    world.advance(Duration::from_secs(1_800));
    assert!(
        filter.may_contain(&cache, "b").wait().unwrap(),
        "not ready any more"
    );
    filter.ready(&cache).wait().unwrap();
    assert!(
        !filter.may_contain(&cache, "a").wait().unwrap(),
        "and empty"
    );
}

#[test]
fn filters_of_other_names_sizes_and_views_are_apart() {
    let cache = Cache::builder().build().unwrap();
    let filter = Bloom::new("f", 100, "1%");
    filter.add(&cache, "a").wait().unwrap();
    for other in [
        Bloom::new("g", 100, "1%"),
        Bloom::new("f", 200, "1%"),
        Bloom::new("f", 100, "5%"),
    ] {
        other.ready(&cache).wait().unwrap();
        assert!(!other.may_contain(&cache, "a").wait().unwrap(), "{other:?}");
    }
    let view = cache.scoped("shop:7:");
    filter.ready(&view).wait().unwrap();
    assert!(!filter.may_contain(&view, "a").wait().unwrap());
    assert!(filter.may_contain(&cache, "a").wait().unwrap());
    let same = Bloom::new("f", 100, 0.01);
    assert!(!same.add(&cache, "a").wait().unwrap(), "it is there");
    // Entries are something else.
    cache.blocking().clear().unwrap();
    assert!(!same.add(&cache, "a").wait().unwrap());
}

#[test]
fn many_threads_fill_one_filter_while_others_ask() {
    let cache = Cache::builder().build().unwrap();
    let filter = Bloom::new("f", 4_000, "1%");
    filter.ready(&cache).wait().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (cache, filter) = (&cache, &filter);
            scope.spawn(move || {
                for key in 0..500 {
                    let key = format!("{thread}:{key}");
                    filter.add(cache, &key).wait().unwrap();
                    assert!(filter.may_contain(cache, &key).wait().unwrap(), "{key}");
                }
            });
        }
    });
    for thread in 0..4 {
        for key in 0..500 {
            let key = format!("{thread}:{key}");
            assert!(filter.may_contain(&cache, key).wait().unwrap());
        }
    }
}

#[test]
fn a_size_that_cannot_be_is_an_error_that_says_how_to_mend_it() {
    let cache = Cache::builder().build().unwrap();
    for (filter, mend) in [
        (Bloom::new("f", 0, "1%"), "capacity = 100_000"),
        (Bloom::new("f", 10, "0%"), "percentage"),
        (Bloom::new("f", 10, "100%"), "below the whole"),
        (Bloom::new("f", 10, 1.5), "between 0 and 1"),
        (Bloom::new("f", u64::MAX, "1%"), "smaller capacity"),
        (Bloom::new("f", 10, "1%").ttl("0s"), "zero"),
    ] {
        let error = filter.add(&cache, "a").wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{error}");
        assert!(error.to_string().contains(mend), "{error}");
        let guarded = cache.guard(&filter, "a", || async { Ok::<_, larder::Error>(()) });
        let refused = guarded.wait().unwrap_err();
        let refused = refused.source_as::<larder::Refused>().unwrap();
        assert_eq!(refused.reason(), larder::Reason::Misconfigured);
    }
}

#[test]
fn a_closed_cache_is_not_filled() {
    let cache = Cache::builder().build().unwrap();
    let filter = Bloom::new("f", 100, "1%");
    cache.blocking().close();
    let error = filter.add(&cache, "a").wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn as_a_guard_it_refuses_what_is_not_there() {
    let cache = Cache::builder().prefix("app:").build().unwrap();
    let filter = Bloom::new("users", 100, "1%");
    let call = |key: &str| {
        let load = || async { Ok::<_, larder::Refused>(()) };
        cache.guard(&filter, key, load).wait()
    };
    filter.add(&cache, "ada").wait().unwrap();
    assert!(call("nobody").is_ok(), "not ready");
    filter.ready(&cache).wait().unwrap();
    assert!(call("ada").is_ok());
    let refused = call("nobody").unwrap_err();
    assert_eq!(refused.reason(), larder::Reason::Absent);
    assert_eq!(refused.key(), "app:bloom:nobody");
}
