//! What the answer decides: whether it is kept, and for how long.

use crate::support::{Oops, millis, secs};
use crate::{Scene, ten_minutes};

#[test]
fn the_value_itself_can_say_how_long_it_lives() {
    let scene = Scene::new(ten_minutes())
        .with(|f| f.settle(|settle| settle.ttl_with(|value| secs(*value))));
    scene.origin.gives(5);
    assert_eq!(scene.call(), Ok(5));
    scene.origin.gives(60);
    scene.world.advance(secs(5));
    assert_eq!(scene.call(), Ok(60));
    scene.world.advance(secs(59));
    assert_eq!(scene.call(), Ok(60));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_ttl_from_arguments_wins_over_the_policys() {
    let scene = Scene::new(ten_minutes()).with(|f| f.prepare(|plan| plan.ttl("5s")));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(5));
    scene.origin.gives(2);
    assert_eq!(scene.call(), Ok(2));
}

#[test]
fn a_ttl_that_cannot_be_followed_gives_the_value_and_stores_nothing() {
    let scene = Scene::new(ten_minutes()).with(|f| f.prepare(|plan| plan.ttl(0)));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.origin.calls(), 2);
    assert_eq!(
        scene.log.count("bad policy k Zero"),
        4,
        "told at the plan and at the store"
    );
    assert!(scene.function.cache.is_empty());
}

#[test]
fn a_ttl_of_the_value_that_contradicts_a_knob_stores_nothing_and_says_so() {
    let scene =
        Scene::new(ten_minutes().soft("5m")).with(|f| f.settle(|settle| settle.ttl_with(|_| "1m")));
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.log.count("bad policy k SoftPastTtl"), 1);
    assert!(scene.function.cache.is_empty());
}

#[test]
fn an_error_is_not_kept_unless_asked() {
    let scene = Scene::new(ten_minutes());
    scene.origin.fails("down");
    assert_eq!(scene.call(), Err(Oops("down")));
    assert_eq!(scene.call(), Err(Oops("down")));
    assert_eq!(scene.origin.calls(), 2);
    assert!(scene.function.cache.is_empty());
}

#[test]
fn a_kept_error_has_a_time_of_its_own() {
    let scene = Scene::new(ten_minutes()).with(|f| f.settle(|settle| settle.errors("30s")));
    scene.origin.fails("down");
    assert_eq!(scene.call(), Err(Oops("down")));
    scene.origin.gives(1);
    scene.world.advance(secs(29));
    assert_eq!(scene.call(), Err(Oops("down")));
    assert_eq!(scene.origin.calls(), 1);
    assert_eq!(scene.function.cache.stats().negative, 1);
    scene.world.advance(secs(1));
    assert_eq!(scene.call(), Ok(1));
}

#[test]
fn only_the_errors_that_are_asked_for_are_kept() {
    let scene = Scene::new(ten_minutes()).with(|f| {
        f.settle(|settle| {
            settle.errors("30s");
            settle.errors_when(|error| error.0 == "not found");
        })
    });
    scene.origin.fails("down");
    assert_eq!(scene.call(), Err(Oops("down")));
    scene.origin.fails("not found");
    assert_eq!(scene.call(), Err(Oops("not found")));
    scene.origin.gives(1);
    assert_eq!(scene.call(), Err(Oops("not found")));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_kept_value_is_worth_more_than_a_kept_error() {
    let scene =
        Scene::new(ten_minutes().fail_safe("1h")).with(|f| f.settle(|settle| settle.errors("30s")));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(600));
    scene.origin.fails("down");
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.call(), Ok(1));
}

#[test]
fn a_failed_reload_behind_does_not_replace_a_good_value_by_an_error() {
    let scene =
        Scene::new(ten_minutes().stale("1h")).with(|f| f.settle(|settle| settle.errors("30s")));
    assert_eq!(scene.call(), Ok(1));
    scene.world.advance(secs(600));
    scene.origin.fails("down");
    assert_eq!(scene.call(), Ok(1));
    assert_eq!(scene.origin.calls(), 2);
    assert_eq!(scene.call(), Ok(1), "its stale window is not over");
}

#[test]
fn what_the_condition_refuses_is_given_and_not_kept() {
    let scene =
        Scene::new(ten_minutes()).with(|f| f.settle(|settle| settle.when(|value| *value > 1)));
    assert_eq!(scene.call(), Ok(1));
    assert!(scene.function.cache.is_empty());
    scene.origin.gives(2);
    assert_eq!(scene.call(), Ok(2));
    assert_eq!(scene.get(), Some(2));
}

#[test]
fn only_what_was_slow_is_kept() {
    let scene = Scene::new(ten_minutes()).with(|f| f.settle(|settle| settle.slower_than("50ms")));
    scene.origin.takes(millis(50));
    let quick = scene.world.spawn(scene.function.clone().call("k"));
    scene.world.advance(millis(50));
    assert_eq!(quick.value(), Ok(1));
    assert_eq!(scene.get(), None);
    scene.origin.takes(millis(51));
    let slow = scene.world.spawn(scene.function.clone().call("k"));
    scene.world.advance(millis(51));
    assert_eq!(slow.value(), Ok(1));
    assert_eq!(scene.get(), Some(1));
}
