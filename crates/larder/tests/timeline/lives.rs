//! How long a value is served, and when it is reloaded behind.

use larder::Policy;

use crate::support::{Oops, World, millis, secs};
use crate::{Scene, ten_minutes};

#[test]
fn a_value_is_served_until_its_ttl_and_not_a_nanosecond_longer() {
    let scene = Scene::new(ten_minutes());
    assert_eq!(scene.call(), Ok(1));
    scene.origin.gives(2);
    scene.world.advance(secs(600) - millis(1));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.origin.calls(), 1);
    scene.world.advance(millis(1));
    assert_eq!(scene.call(), Ok(2));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_value_past_its_ttl_does_not_stand_in_for_a_failure() {
    let scene = Scene::new(ten_minutes());
    assert_eq!(scene.call(), Ok(1));
    scene.origin.fails("down");
    scene.world.advance(secs(600));
    assert_eq!(scene.call(), Err(Oops("down")));
    assert_eq!(scene.log.count("saved"), 0);
}

#[test]
fn an_endless_value_is_still_there_after_a_century() {
    let scene = Scene::new(Policy::new().ttl("forever"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(100 * 365 * 86_400));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.origin.calls(), 1);
}

#[test]
fn a_stale_value_is_served_at_once_while_one_reload_runs_behind() {
    let scene = Scene::new(ten_minutes().stale("1h"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(601));
    scene.origin.gives(2);
    let gate = scene.origin.hold();
    for _ in 0..10 {
        assert_eq!(scene.call(), Ok(1), "nobody waits for the reload");
    }
    assert_eq!(scene.origin.calls(), 2, "one reload for ten callers");
    assert_eq!(scene.world.loads(), 1);
    gate.open();
    scene.world.settle();
    assert_eq!(scene.call(), Ok(2));
    assert_eq!(scene.origin.calls(), 2);
    let stats = scene.function.cache.stats();
    assert_eq!((stats.refresh, stats.fresh, stats.misses), (10, 1, 1));
}

#[test]
fn a_reload_behind_starts_a_new_life() {
    let scene = Scene::new(ten_minutes().stale("1h"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(4_000));
    scene.origin.gives(2);
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(599));
    assert_eq!(scene.call(), Ok(2));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn past_its_stale_window_a_value_is_gone_and_callers_wait() {
    let scene = Scene::new(ten_minutes().stale("1h"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(4_200));
    scene.origin.gives(2);
    let gate = scene.origin.hold();
    let call = scene.world.spawn(scene.function.clone().call("k"));
    scene.world.settle();
    assert!(!call.is_done());
    gate.open();
    scene.world.settle();
    assert_eq!(call.value(), Ok(2));
}

#[test]
fn a_sync_function_reloads_behind_too() {
    let scene = Scene::new(ten_minutes().stale("1h"));
    assert_eq!(scene.function.call_sync("k"), Ok(1));
    scene.world.advance(secs(601));
    scene.origin.gives(2);
    assert_eq!(scene.function.call_sync("k"), Ok(1));
    assert_eq!(scene.origin.calls(), 1, "it runs behind, not here");
    assert_eq!(scene.function.call_sync("k"), Ok(1));
    scene.world.settle();
    assert_eq!(scene.origin.calls(), 2);
    assert_eq!(scene.function.call_sync("k"), Ok(2));
}

#[test]
fn early_reloads_behind_while_the_value_is_fresh() {
    let scene = Scene::new(ten_minutes().early("4m"));
    assert_eq!(scene.call(), Ok(1));
    scene.origin.gives(2);
    scene.world.advance(secs(239));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.world.loads(), 0);
    scene.world.advance(secs(1));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.world.loads(), 1);
    assert_eq!(scene.call(), Ok(2));
    scene.world.advance(secs(239));
    assert_eq!(scene.call(), Ok(2));
    assert_eq!(
        scene.world.loads(),
        1,
        "the new value has its own early point"
    );
}

#[test]
fn early_auto_leads_the_ttl_by_a_sample_of_the_measured_cost() {
    let scene = Scene::new(ten_minutes().early("auto"));
    scene.origin.takes(secs(30));
    // u = 1/2: the sample is ln 2 of the cost, 20.79 s.
    scene.world.set_random(0x7FFF_FFFF);
    let call = scene.world.spawn(scene.function.clone().call("k"));
    scene.world.advance(secs(30));
    assert_eq!(call.value(), Ok(1));
    scene.world.advance(secs(579));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.world.loads(), 0);
    scene.world.advance(millis(300));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.world.loads(), 1);
}

#[test]
fn a_value_is_used_up_after_its_hits() {
    let scene = Scene::new(ten_minutes().hits(3));
    assert_eq!(scene.call(), Ok(1));
    scene.origin.gives(2);
    for _ in 0..3 {
        assert_eq!(scene.call(), Ok(1));
    }
    assert_eq!(scene.call(), Ok(2));
    for _ in 0..3 {
        assert_eq!(scene.call(), Ok(2), "a new value has a new budget");
    }
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_used_up_value_is_kept_for_a_failing_source() {
    let scene = Scene::new(ten_minutes().hits(1));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.call(), Ok(1));
    scene.origin.fails("down");
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.log.count("saved k"), 1);
}

#[test]
fn a_hit_budget_does_not_outlive_the_ttl() {
    let scene = Scene::new(ten_minutes().hits(1_000));
    assert_eq!(scene.call(), Ok(1));
    scene.origin.gives(2);
    scene.world.advance(secs(600));
    assert_eq!(scene.call(), Ok(2));
}

#[test]
fn a_reload_behind_starts_after_the_hits_for_it() {
    let scene = Scene::new(ten_minutes().refresh_hits(2));
    assert_eq!(scene.call(), Ok(1));
    scene.origin.gives(2);
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.world.loads(), 0);
    assert_eq!(scene.call(), Ok(1), "served while it reloads");
    assert_eq!(scene.world.loads(), 1);
    assert_eq!(scene.call(), Ok(2));
}

#[test]
fn hits_and_refresh_hits_together_never_make_a_caller_wait() {
    let scene = Scene::new(ten_minutes().hits(3).refresh_hits(1));
    assert_eq!(scene.call(), Ok(1));
    for round in 2..10 {
        scene.origin.gives(round);
        assert_eq!(scene.call(), Ok(round - 1));
        assert_eq!(scene.call(), Ok(round - 1), "this one starts the reload");
    }
    assert_eq!(scene.function.cache.stats().misses, 1);
}

#[test]
fn jitter_lets_entries_of_one_moment_go_at_different_ones() {
    let world = World::new();
    let cache = world.cache();
    let policy = ten_minutes().jitter("50%");
    world.set_random(u64::MAX);
    cache
        .blocking()
        .set("short", &1_u64)
        .policy(policy)
        .wait()
        .unwrap();
    world.set_random(0);
    cache
        .blocking()
        .set("long", &1_u64)
        .policy(policy)
        .wait()
        .unwrap();
    world.advance(secs(300));
    assert!(!cache.blocking().exists("short").unwrap());
    assert!(cache.blocking().exists("long").unwrap());
    world.advance(secs(299));
    assert!(cache.blocking().exists("long").unwrap());
    world.advance(secs(1));
    assert!(
        !cache.blocking().exists("long").unwrap(),
        "nothing lives longer than was asked"
    );
}
