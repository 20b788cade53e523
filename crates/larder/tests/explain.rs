//! What is known of a key, and why the next call would hit or miss.

mod support;

use larder::{Explain, Next, Operations, Policy, Verdict};
use support::{Cached, Origin, World, secs};

struct Scene {
    world: std::sync::Arc<World>,
    origin: Origin,
    function: Cached,
}

fn scene(policy: Policy) -> Scene {
    let world = World::new();
    let cache = world.builder().prefix("p:").build().unwrap();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, policy);
    Scene {
        world,
        origin,
        function,
    }
}

impl Scene {
    fn call(&self) {
        drop(self.world.run(self.function.clone().call("k")));
    }

    fn explain(&self) -> Explain {
        self.function.cache.blocking().explain("k").unwrap()
    }
}

#[test]
fn of_a_key_that_is_not_there_nothing_is_known_but_that() {
    let scene = scene(Policy::new().ttl("1m"));
    let told = scene.explain();
    assert_eq!(told.key, "p:k");
    assert_eq!(
        (&told.entry, told.loading, told.off),
        (&None, false, Operations::NONE)
    );
    assert_eq!(told.next, Next::Load);
    assert_eq!(told.why(), "load: nothing is stored");
    let text = told.to_string();
    assert_eq!(
        text,
        "key         p:k\nentry       none\nnext call   load: nothing is stored"
    );
}

#[test]
fn an_entry_is_told_with_its_deadlines_tags_hits_and_cost() {
    let policy = Policy::new().ttl("10m").early("4m").fail_safe("1h").hits(9);
    let mut scene = scene(policy);
    scene.function = scene.function.prepare(|plan| {
        plan.tag("users");
        plan.tag("org:7");
    });
    scene.origin.takes(secs(2));
    let call = scene.world.spawn(scene.function.clone().call("k"));
    scene.world.advance(secs(2));
    assert_eq!(call.value(), Ok(1));
    scene.call();
    scene.world.advance(secs(90));
    let entry = scene.explain().entry.unwrap();
    assert_eq!(entry.age, secs(90));
    assert_eq!(entry.verdict, Verdict::Fresh);
    let left = |instant: larder::runtime::Timestamp| instant.since(entry.now).as_secs();
    let deadlines = entry.deadlines;
    let left = [
        deadlines.refresh_at,
        deadlines.stale_until,
        deadlines.keep_until,
    ]
    .map(left);
    assert_eq!(left, [150, 510, 4_110]);
    assert_eq!(entry.tags, ["users", "org:7"]);
    assert_eq!(entry.forgotten, Vec::<larder::Key>::new());
    assert_eq!(entry.hits, Some((1, 9)));
    assert_eq!(entry.cost, Some(secs(2)));
    let text = scene.explain().to_string();
    for line in [
        "written 1 min 30 s ago",
        "refresh_at  in 2 min 30 s",
        "keep_until  in 1 h 8 min",
    ] {
        assert!(text.contains(line), "`{text}` lacks `{line}`");
    }
    for line in [
        "tags        users, org:7",
        "hits        1 of 9",
        "cost        2.0 s",
    ] {
        assert!(text.contains(line), "`{text}` lacks `{line}`");
    }
}

/// Asserts what the next call would do and why, then that it does.
#[track_caller]
fn assert_next(scene: &Scene, next: Next, why: &str, calls: usize) {
    let told = scene.explain();
    assert_eq!((told.next, told.why().as_str()), (next, why));
    let before = scene.origin.calls();
    scene.call();
    assert_eq!(
        scene.origin.calls() - before,
        calls,
        "it did not do what it said"
    );
}

#[test]
fn a_fresh_entry_is_a_hit() {
    let scene = scene(Policy::new().ttl("1m"));
    scene.call();
    assert_next(&scene, Next::Hit, "hit: the entry is fresh", 0);
}

#[test]
fn a_stale_entry_is_a_hit_with_a_reload() {
    let scene = scene(Policy::new().ttl("1m").stale("1h"));
    scene.call();
    scene.world.advance(secs(60));
    let why = "hit, with a reload behind: the entry is past `refresh_at`";
    assert_next(&scene, Next::HitAndRefresh, why, 1);
}

#[test]
fn an_entry_that_has_had_its_hits_for_a_reload_says_so() {
    let scene = scene(Policy::new().ttl("1m").refresh_hits(1));
    scene.call();
    scene.call();
    let why = "hit, with a reload behind: the entry has had its `refresh_hits`";
    assert_next(&scene, Next::HitAndRefresh, why, 1);
}

#[test]
fn a_used_up_entry_says_so() {
    let scene = scene(Policy::new().ttl("1m").hits(1));
    scene.call();
    scene.call();
    let why = "load: the hits of the entry are used up; it is served only if the load fails";
    assert_next(&scene, Next::LoadOrSave, why, 1);
}

#[test]
fn a_kept_entry_is_for_a_failing_source() {
    let scene = scene(Policy::new().ttl("1m").fail_safe("1h"));
    scene.call();
    scene.world.advance(secs(60));
    let why = "load: the entry is past `stale_until`; it is served only if the load fails";
    assert_next(&scene, Next::LoadOrSave, why, 1);
}

#[test]
fn an_entry_whose_source_failed_a_moment_ago_says_so() {
    let scene = scene(Policy::new().ttl("1m").fail_safe("1h").throttle("30s"));
    scene.call();
    scene.world.advance(secs(60));
    scene.origin.fails("down");
    scene.call();
    scene.world.advance(secs(10));
    let why = "hit: its source failed and is left alone for another 20.0 s";
    assert_next(&scene, Next::Hit, why, 0);
}

#[test]
fn an_entry_under_a_forgotten_tag_names_the_tag() {
    let mut scene = scene(Policy::new().ttl("1m"));
    scene.function = scene.function.prepare(|plan| {
        plan.tag("a");
        plan.tag("b");
        plan.tag("c");
    });
    scene.call();
    scene
        .function
        .cache
        .blocking()
        .delete_tags(["a", "c"])
        .unwrap();
    assert_next(&scene, Next::Load, "load: forgotten by tag: a, c", 1);
}

#[test]
fn an_expired_entry_that_nobody_has_met_is_over() {
    let scene = scene(Policy::new().ttl("1m"));
    scene.call();
    scene.world.clock_on(secs(60));
    assert_next(&scene, Next::Load, "load: the entry's time is over", 1);
}

#[test]
fn a_load_in_progress_is_waited_for() {
    let scene = scene(Policy::new().ttl("1m"));
    let gate = scene.origin.hold();
    let call = scene.world.spawn(scene.function.clone().call("k"));
    scene.world.settle();
    let told = scene.explain();
    assert!(told.loading);
    assert_eq!(
        (told.next, told.why().as_str()),
        (Next::Wait, "wait for the load in progress")
    );
    assert!(told.to_string().contains("loading     now"));
    gate.open();
    scene.world.settle();
    assert_eq!(call.value(), Ok(1));
    assert!(!scene.explain().loading);
}

#[test]
fn what_is_switched_off_is_told() {
    let scene = scene(Policy::new().ttl("1m"));
    scene.call();
    scene.function.cache.switch_off(Operations::READ);
    assert_next(&scene, Next::Load, "load: reading is switched off", 1);
    assert_eq!(scene.explain().off, Operations::READ);
}

#[test]
fn an_endless_entry_never_ends() {
    let scene = scene(Policy::new().ttl("forever"));
    scene.call();
    let text = scene.explain().to_string();
    assert!(text.contains("keep_until  never"), "{text}");
}

#[test]
fn explaining_is_no_use_of_the_entry() {
    let scene = scene(Policy::new().ttl("1m").hits(1));
    scene.call();
    for _ in 0..5 {
        assert_eq!(scene.explain().entry.unwrap().hits, Some((0, 1)));
    }
    assert_next(&scene, Next::Hit, "hit: the entry is fresh", 0);
}
