//! Tags: clock-free versions, forgotten in one step whatever they cover.

mod support;

use std::sync::Arc;

use larder::{Cache, Next, Policy};
use support::{Cached, Origin, World, secs};

fn world() -> (Arc<World>, Cache) {
    let world = World::new();
    let cache = world.cache();
    (world, cache)
}

fn set(cache: &Cache, key: &str, tags: &[&str]) {
    let written = cache
        .blocking()
        .set(key, &1_u64)
        .ttl("10m")
        .tags(tags)
        .wait();
    assert!(written.unwrap());
}

fn get(cache: &Cache, key: &str) -> Option<u64> {
    cache.blocking().get(key).unwrap()
}

#[test]
fn forgetting_a_tag_forgets_all_that_carry_it_and_nothing_else() {
    let (_world, cache) = world();
    set(&cache, "a", &["x"]);
    set(&cache, "b", &["x", "y"]);
    set(&cache, "c", &["y"]);
    set(&cache, "d", &[]);
    cache.blocking().delete_tags(["x"]).unwrap();
    let left = ["a", "b", "c", "d"].map(|key| get(&cache, key));
    assert_eq!(left, [None, None, Some(1), Some(1)]);
}

#[test]
fn several_tags_are_forgotten_together() {
    let (_world, cache) = world();
    set(&cache, "a", &["x"]);
    set(&cache, "b", &["y"]);
    set(&cache, "c", &["z"]);
    cache.blocking().delete_tags(["x", "y"]).unwrap();
    let left = ["a", "b", "c"].map(|key| get(&cache, key));
    assert_eq!(left, [None, None, Some(1)]);
}

#[test]
fn a_tag_is_taken_as_it_is_written() {
    let (_world, cache) = world();
    set(&cache, "a", &["user:*"]);
    set(&cache, "b", &["user:7"]);
    cache.blocking().delete_tags(["user:*"]).unwrap();
    assert_eq!(get(&cache, "a"), None);
    assert_eq!(get(&cache, "b"), Some(1), "a tag is no pattern");
    cache.blocking().delete_tags(["user"]).unwrap();
    assert_eq!(get(&cache, "b"), Some(1), "and no prefix");
    cache.blocking().delete_tags(Vec::<String>::new()).unwrap();
    assert_eq!(get(&cache, "b"), Some(1), "no tag is no tag");
}

#[test]
fn what_is_written_after_a_tag_was_forgotten_lives() {
    let (_world, cache) = world();
    cache.blocking().delete_tags(["x"]).unwrap();
    set(&cache, "a", &["x"]);
    cache.blocking().delete_tags(["other"]).unwrap();
    assert_eq!(get(&cache, "a"), Some(1));
    for _ in 0..3 {
        cache.blocking().delete_tags(["x"]).unwrap();
        assert_eq!(get(&cache, "a"), None);
        set(&cache, "a", &["x"]);
        assert_eq!(get(&cache, "a"), Some(1));
    }
}

#[test]
fn a_value_written_without_the_tag_is_not_under_it_any_more() {
    let (_world, cache) = world();
    set(&cache, "a", &["x"]);
    set(&cache, "a", &[]);
    cache.blocking().delete_tags(["x"]).unwrap();
    assert_eq!(get(&cache, "a"), Some(1));
}

#[test]
fn a_forgotten_entry_is_nowhere() {
    let (_world, cache) = world();
    set(&cache, "a", &["x"]);
    set(&cache, "b", &[]);
    cache.blocking().delete_tags(["x"]).unwrap();
    let cache = cache.blocking();
    assert!(!cache.exists("a").unwrap());
    assert_eq!(cache.remaining_ttl("a").unwrap(), None);
    assert!(!cache.touch("a", "1h").unwrap());
    assert_eq!(cache.scan("*").unwrap(), ["b"]);
    assert_eq!(cache.get_many::<u64>(["a", "b"]).unwrap(), [None, Some(1)]);
    assert_eq!(cache.explain("a").unwrap().next, Next::Load);
    assert!(!cache.delete("a").unwrap());
    assert!(cache.set("a", &2_u64).ttl("1m").if_absent().wait().unwrap());
}

#[test]
fn touching_an_entry_does_not_take_its_tags_away_nor_bring_it_back() {
    let (world, cache) = world();
    set(&cache, "a", &["x"]);
    world.advance(secs(300));
    assert!(cache.blocking().touch("a", "1h").unwrap());
    world.advance(secs(3_000));
    assert_eq!(get(&cache, "a"), Some(1));
    cache.blocking().delete_tags(["x"]).unwrap();
    assert_eq!(get(&cache, "a"), None);
}

#[test]
fn a_short_lived_entry_does_not_shorten_the_life_of_a_tag() {
    let (world, cache) = world();
    let short = cache
        .blocking()
        .set("short", &1_u64)
        .ttl("1s")
        .tags(["x"])
        .wait();
    assert!(short.unwrap());
    set(&cache, "long", &["x"]);
    world.advance(secs(5));
    assert_eq!(get(&cache, "short"), None);
    assert_eq!(
        get(&cache, "long"),
        Some(1),
        "the tag outlives its shortest entry"
    );
    cache.blocking().delete_tags(["x"]).unwrap();
    assert_eq!(get(&cache, "long"), None, "and still covers the longest");
}

#[test]
fn a_kept_value_under_a_forgotten_tag_saves_nobody() {
    let (world, cache) = world();
    let origin = Origin::new(&world, 1);
    let policy = Policy::new().ttl("1m").fail_safe("1h");
    let function = Cached::new(&cache, &origin, policy).prepare(|plan| plan.tag("x"));
    assert_eq!(world.run(function.clone().call("k")), Ok(1));
    world.advance(secs(60));
    cache.blocking().delete_tags(["x"]).unwrap();
    origin.fails("down");
    assert!(world.run(function.call("k")).is_err());
}

#[test]
fn a_stale_value_under_a_forgotten_tag_is_not_served() {
    let (world, cache) = world();
    let origin = Origin::new(&world, 1);
    let policy = Policy::new().ttl("1m").stale("1h");
    let function = Cached::new(&cache, &origin, policy).prepare(|plan| plan.tag("x"));
    assert_eq!(world.run(function.clone().call("k")), Ok(1));
    world.advance(secs(60));
    cache.blocking().delete_tags(["x"]).unwrap();
    origin.gives(2);
    assert_eq!(world.run(function.call("k")), Ok(2));
}

#[test]
fn one_closure_can_give_many_tags_or_none() {
    let (world, cache) = world();
    let origin = Origin::new(&world, 3);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1m")).settle(|settle| {
        settle.tags_with(|n| (0..*n).map(|n| format!("part:{n}")).collect::<Vec<_>>());
        settle.tags_with(|n| (*n > 5).then_some("large"));
        settle.tags_with(|_| ["always", "and also"]);
    });
    assert_eq!(world.run(function.clone().call("k")), Ok(3));
    let entry = cache.blocking().explain("k").unwrap().entry.unwrap();
    let tags: Vec<&str> = entry.tags.iter().map(AsRef::as_ref).collect();
    assert_eq!(tags, ["part:0", "part:1", "part:2", "always", "and also"]);
    cache.blocking().delete_tags(["large"]).unwrap();
    assert_eq!(get(&cache, "k"), Some(3));
    cache.blocking().delete_tags(["part:2"]).unwrap();
    assert_eq!(get(&cache, "k"), None);
}

#[test]
fn forgetting_many_other_tags_does_not_forget_an_entry_that_is_read() {
    let (_world, cache) = world();
    set(&cache, "a", &["x"]);
    for round in 0..20 {
        let others = (0..10_000).map(|n| format!("other:{round}:{n}"));
        cache.blocking().delete_tags(others).unwrap();
        assert_eq!(get(&cache, "a"), Some(1), "round {round}");
    }
    cache.blocking().delete_tags(["x"]).unwrap();
    assert_eq!(get(&cache, "a"), None);
}

#[test]
fn two_caches_have_tags_of_their_own() {
    let (_world, first) = world();
    let (_other, second) = world();
    set(&first, "a", &["x"]);
    set(&second, "a", &["x"]);
    first.blocking().delete_tags(["x"]).unwrap();
    assert_eq!(get(&first, "a"), None);
    assert_eq!(get(&second, "a"), Some(1));
}

#[test]
fn a_tag_covers_what_other_threads_have_just_written() {
    let cache = Cache::builder().build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let cache = &cache;
            scope.spawn(move || {
                for n in 0..500_u64 {
                    set(cache, &format!("{thread}:{n}"), &["x"]);
                    cache.blocking().delete_tags(["x"]).unwrap();
                    assert_eq!(get(cache, &format!("{thread}:{n}")), None);
                }
            });
        }
    });
    assert_eq!(cache.blocking().scan("*").unwrap(), Vec::<String>::new());
}
