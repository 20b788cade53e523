//! What stands in when the source fails, and how often it is asked.

use crate::support::{Oops, millis, secs};
use crate::{Scene, ten_minutes};

#[test]
fn soft_reloads_in_the_foreground_and_falls_back_to_the_kept_value() {
    let scene = Scene::new(ten_minutes().soft("4m"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(240));
    scene.origin.fails("down");
    assert_eq!(scene.call(), Ok(1), "kept for this case");
    assert_eq!(scene.origin.calls(), 2, "the source was asked first");
    assert_eq!(scene.log.count("saved k"), 1);
    scene.origin.gives(2);
    scene.world.advance(secs(10));
    assert_eq!(
        scene.call(),
        Ok(2),
        "when the source is back, its value counts"
    );
    assert_eq!(scene.function.cache.stats().saved, 1);
}

#[test]
fn soft_gives_the_sources_own_error_when_the_kept_value_is_gone() {
    let scene = Scene::new(ten_minutes().soft("4m"));
    assert_eq!(scene.call(), Ok(1));
    scene.origin.fails("down");
    scene.world.advance(secs(600));
    assert_eq!(scene.call(), Err(Oops("down")));
}

#[test]
fn fail_safe_saves_callers_and_leaves_a_dead_source_alone_for_the_throttle() {
    let scene = Scene::new(ten_minutes().fail_safe("1h").throttle("30s"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(600));
    scene.origin.fails("down");
    for _ in 0..100 {
        assert_eq!(scene.call(), Ok(1));
    }
    assert_eq!(scene.origin.calls(), 2, "asked once, not a hundred times");
    assert_eq!(scene.log.count("saved k"), 1);
    scene.world.advance(secs(30) - millis(1));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.origin.calls(), 2);
    scene.world.advance(millis(1));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(
        scene.origin.calls(),
        3,
        "asked again when the throttle is over"
    );
}

#[test]
fn fail_safe_throttles_for_ten_seconds_if_nothing_is_said() {
    let scene = Scene::new(ten_minutes().fail_safe("1h"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(600));
    scene.origin.fails("down");
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(10) - millis(1));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.origin.calls(), 2);
    scene.world.advance(millis(1));
    scene.origin.gives(2);
    assert_eq!(scene.call(), Ok(2), "the recovery is noticed");
}

#[test]
fn a_throttle_does_not_outlive_what_is_kept() {
    let scene = Scene::new(ten_minutes().fail_safe("20s").throttle("1h"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(610));
    scene.origin.fails("down");
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(10));
    assert_eq!(scene.call(), Err(Oops("down")));
}

#[test]
fn fail_safe_ends_with_its_span() {
    let scene = Scene::new(ten_minutes().fail_safe("1h"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(600 + 3_600));
    scene.origin.fails("down");
    assert_eq!(scene.call(), Err(Oops("down")));
}

#[test]
fn a_kept_value_is_not_served_by_a_direct_read() {
    let scene = Scene::new(ten_minutes().fail_safe("1h"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(600));
    assert_eq!(scene.get(), None);
    scene.origin.fails("down");
    assert_eq!(scene.call(), Ok(1), "looking did not remove it");
}

#[test]
fn a_value_that_was_evicted_during_the_load_still_saves_its_caller() {
    let scene = Scene::new(ten_minutes().fail_safe("1h"));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(600));
    scene.origin.fails("down");
    let gate = scene.origin.hold();
    let call = scene.world.spawn(scene.function.clone().call("k"));
    scene.world.settle();
    let blocking = scene.function.cache.blocking();
    for n in 0..40_000_u64 {
        blocking
            .set(format!("other:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
    }
    assert!(scene.function.cache.stats().evicted > 0);
    gate.open();
    scene.world.settle();
    assert_eq!(call.value(), Ok(1));
}

#[test]
fn failover_asks_each_time_and_keeps_the_last_good_value_for_failures() {
    let scene = Scene::new(ten_minutes().failover());
    scene.origin.fails("down");
    assert_eq!(
        scene.call(),
        Err(Oops("down")),
        "nothing to fall back on yet"
    );
    scene.origin.gives(1);
    assert_eq!(scene.call(), Ok(1));
    scene.origin.gives(2);
    assert_eq!(
        scene.call(),
        Ok(2),
        "never from the entry while the source answers"
    );
    assert_eq!(scene.origin.calls(), 3);
    scene.origin.fails("down");
    assert_eq!(scene.call(), Ok(2));
    scene.world.advance(secs(600));
    assert_eq!(scene.call(), Err(Oops("down")), "kept for its ttl only");
}

#[test]
fn failover_asks_each_time_also_after_a_failure() {
    let scene = Scene::new(ten_minutes().failover());
    assert_eq!(scene.call(), Ok(1));
    scene.origin.fails("down");
    assert_eq!(scene.call(), Ok(1));
    scene.origin.gives(2);
    assert_eq!(scene.call(), Ok(2));
    assert_eq!(scene.origin.calls(), 3);
}
