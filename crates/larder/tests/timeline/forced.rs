//! `refresh` and `put`: loads that somebody asked for.

use crate::support::Oops;
use crate::{Scene, ten_minutes};

#[test]
fn a_refresh_loads_although_the_value_is_fresh() {
    let scene = Scene::new(ten_minutes());
    assert_eq!(scene.call(), Ok(1));
    scene.origin.gives(2);
    assert_eq!(scene.world.run(scene.function.clone().refresh("k")), Ok(2));
    assert_eq!(scene.call(), Ok(2));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_refresh_that_fails_says_so_and_leaves_the_value() {
    let scene = Scene::new(ten_minutes());
    assert_eq!(scene.call(), Ok(1));
    scene.origin.fails("down");
    let refreshed = scene.world.run(scene.function.clone().refresh("k"));
    assert_eq!(refreshed, Err(Oops("down")));
    assert_eq!(scene.call(), Ok(1));
}

#[test]
fn a_refresh_is_not_overwritten_by_an_older_load_that_ends_later() {
    let scene = Scene::new(ten_minutes());
    let gate = scene.origin.hold();
    let older = scene.world.spawn(scene.function.clone().call("k"));
    scene.world.settle();
    scene.origin.flow();
    scene.origin.gives(2);
    assert_eq!(scene.world.run(scene.function.clone().refresh("k")), Ok(2));
    gate.open();
    scene.world.settle();
    assert_eq!(older.value(), Ok(1));
    assert_eq!(scene.get(), Some(2));
}

#[test]
fn a_put_always_computes_and_stores() {
    let scene = Scene::new(ten_minutes());
    assert_eq!(scene.call(), Ok(1));
    scene.origin.gives(2);
    assert_eq!(scene.world.run(scene.function.clone().put("k")), Ok(2));
    assert_eq!(scene.call(), Ok(2));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_put_that_fails_leaves_what_is_there() {
    let scene = Scene::new(ten_minutes());
    assert_eq!(scene.call(), Ok(1));
    scene.origin.fails("down");
    assert_eq!(
        scene.world.run(scene.function.clone().put("k")),
        Err(Oops("down"))
    );
    assert_eq!(scene.call(), Ok(1));
}

#[test]
fn a_put_whose_value_is_not_to_be_kept_removes_the_one_before() {
    let scene =
        Scene::new(ten_minutes()).with(|f| f.settle(|settle| settle.when(|value| *value != 2)));
    assert_eq!(scene.call(), Ok(1));
    scene.origin.gives(2);
    assert_eq!(scene.world.run(scene.function.clone().put("k")), Ok(2));
    assert_eq!(scene.get(), None, "1 is not true any more");
}
