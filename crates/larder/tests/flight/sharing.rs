//! What those who waited are given.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use larder::__private::{AsResult, KeyBuf, Mode, error_cloner, fill};
use larder::Cache;

use crate::support::{Gate, Oops, Origin, Silent, World};
use crate::{Scene, site, ten_minutes};

#[test]
fn an_error_that_can_be_cloned_reaches_all_who_waited_with_one_call() {
    let scene = Scene::new(ten_minutes());
    scene.origin.fails("down");
    let gate = scene.origin.hold();
    let calls: Vec<_> = (0..50).map(|_| scene.start()).collect();
    gate.open();
    scene.world.settle();
    assert!(calls.iter().all(|call| call.value() == Err(Oops("down"))));
    assert_eq!(scene.origin.calls(), 1);
    assert_eq!(scene.function.cache.stats().coalesced, 49);
    assert_eq!(scene.function.cache.stats().load_failures, 1);
}

#[test]
fn an_error_that_cannot_be_cloned_lets_each_ask_again_one_at_a_time() {
    let world = World::new();
    let cache = world.cache();
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let calls = Arc::new(AtomicUsize::new(0));
    let gates: Arc<Mutex<Vec<Gate>>> = Arc::default();
    let call = || {
        let (cache, gates) = (cache.clone(), Arc::clone(&gates));
        let (running, most, calls) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&calls));
        world.spawn(async move {
            silent(cache, move || async move {
                most.fetch_max(
                    running.fetch_add(1, Ordering::Relaxed) + 1,
                    Ordering::Relaxed,
                );
                let gate = Gate::default();
                gates.lock().unwrap().push(gate.clone());
                gate.pass().await;
                running.fetch_sub(1, Ordering::Relaxed);
                Err(Silent(calls.fetch_add(1, Ordering::Relaxed) as u32))
            })
            .await
        })
    };
    let all: Vec<_> = (0..5).map(|_| call()).collect();
    world.settle();
    for round in 0..5 {
        let gate = gates.lock().unwrap()[round].clone();
        gate.open();
        world.settle();
    }
    let mut errors: Vec<_> = all.iter().map(|call| call.value().unwrap_err().0).collect();
    errors.sort_unstable();
    assert_eq!(errors, [0, 1, 2, 3, 4], "each has its own error");
    assert_eq!(most.load(Ordering::Relaxed), 1);
}

#[test]
fn get_or_load_gives_one_error_to_all_who_waited() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    origin.fails("down");
    let gate = origin.hold();
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let (cache, origin) = (cache.clone(), origin.clone());
            world.spawn(async move {
                let load = || async move { origin.call().await };
                cache.get_or_load("k", load).ttl("1m").await
            })
        })
        .collect();
    world.settle();
    gate.open();
    world.settle();
    let errors: Vec<_> = calls.iter().map(|call| call.value().unwrap_err()).collect();
    assert_eq!(origin.calls(), 1);
    let address = |error: &larder::Error| std::ptr::from_ref(error.source_as::<Oops>().unwrap());
    assert!(
        errors
            .iter()
            .all(|error| address(error) == address(&errors[0]))
    );
}

#[test]
fn who_waited_gets_the_value_also_when_it_is_not_kept() {
    let scene = Scene::new(ten_minutes());
    let function = scene
        .function
        .clone()
        .settle(|settle| settle.when(|_| false));
    let gate = scene.origin.hold();
    let calls: Vec<_> = (0..3)
        .map(|_| scene.world.spawn(function.clone().call("k")))
        .collect();
    scene.world.settle();
    gate.open();
    scene.world.settle();
    assert!(calls.iter().all(|call| call.value() == Ok(1)));
    assert_eq!(scene.origin.calls(), 1);
    assert!(scene.function.cache.is_empty());
}

#[test]
fn a_load_of_another_type_under_the_same_key_is_nothing_to_wait_for() {
    let scene = Scene::new(ten_minutes());
    let gate = scene.origin.hold();
    let number = scene.start();
    let text = scene.world.spawn({
        let cache = scene.function.cache.clone();
        async move {
            let load = || async { Ok::<_, Oops>("text".to_owned()) };
            cache.get_or_load("k", load).ttl("1m").await
        }
    });
    scene.world.settle();
    gate.open();
    scene.world.settle();
    assert_eq!(number.value(), Ok(1));
    assert_eq!(text.value().unwrap(), "text");
}

async fn silent<F: Future<Output = Result<u64, Silent>>>(
    cache: Cache,
    source: impl FnOnce() -> F,
) -> Result<u64, Silent> {
    let prepare = |plan: &mut larder::__private::Plan<Silent>| {
        plan.policy(ten_minutes());
        plan.share_errors(error_cloner!(AsResult, Result<u64, Silent>));
    };
    let key = KeyBuf::from_text("k");
    fill::<AsResult, Result<u64, Silent>, _, _, _, _>(
        &cache,
        site(),
        key,
        Mode::Foreground,
        prepare,
        source,
        |_| {},
    )
    .await
}
