//! `invalidate_further`: everything that is used is loaded anew.

use larder::scope;

use crate::scene;
use crate::support::{Gate, Oops};

#[test]
fn inside_reads_are_misses_and_what_they_would_have_found_is_removed() {
    let scene = scene();
    scope().invalidate_further().run(|| {
        assert_eq!(scene.get(), None);
    });
    assert_eq!(scene.get(), None, "it was removed");
}

#[test]
fn inside_everything_that_is_used_is_loaded_anew_and_stored() {
    let scene = scene();
    assert!(
        scene
            .cache
            .blocking()
            .set("unused", &1_u64)
            .ttl("1h")
            .wait()
            .unwrap()
    );
    scope().invalidate_further().run(|| {
        assert_eq!(scene.function.call_sync("k"), Ok(2));
    });
    assert_eq!(scene.get(), Some(2));
    assert_eq!(
        scene.cache.blocking().get::<u64>("unused").unwrap(),
        Some(1)
    );
}

#[test]
fn inside_a_load_that_began_before_is_not_joined() {
    let scene = scene();
    scene.cache.blocking().delete("k").unwrap();
    let gate = scene.origin.hold();
    let older = scene.world.spawn(scene.function.clone().call("k"));
    scene.world.settle();
    scene.origin.flow();
    scene.origin.gives(3);
    let inside = scope()
        .invalidate_further()
        .wrap(scene.function.clone().call("k"));
    assert_eq!(scene.world.run(inside), Ok(3));
    gate.open();
    scene.world.settle();
    assert_eq!(older.value(), Ok(2));
    assert_eq!(scene.get(), Some(3));
}

#[test]
fn forcing_ends_with_its_scope_and_nests() {
    let scene = scene();
    scope().invalidate_further().run(|| {
        scope()
            .invalidate_further()
            .run(|| assert_eq!(scene.get(), None));
        assert!(scene.set(5));
        assert_eq!(scene.get(), None, "the outer one still holds");
        scope().run(|| {
            scene.set(6);
            assert_eq!(
                scene.get(),
                None,
                "an inner one that says nothing changes nothing"
            );
        });
    });
    scene.set(7);
    assert_eq!(scene.get(), Some(7));
    assert_eq!(scene.get(), Some(7));
}

#[test]
fn forcing_in_one_task_is_not_felt_by_another() {
    let scene = scene();
    let gate = Gate::default();
    let (pass, cache) = (gate.pass(), scene.cache.clone());
    let forcing = scene
        .world
        .spawn(scope().invalidate_further().wrap(async move {
            pass.await;
            cache.get::<u64>("k").await.unwrap()
        }));
    scene.world.settle();
    assert_eq!(scene.get(), Some(1));
    gate.open();
    scene.world.settle();
    assert_eq!(forcing.value(), None);
}

#[test]
fn forcing_does_not_save_a_failing_source_with_what_was_removed() {
    let scene = scene();
    scene.origin.fails("down");
    scope().invalidate_further().run(|| {
        assert_eq!(scene.function.call_sync("k"), Err(Oops("down")));
    });
}
