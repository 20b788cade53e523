//! What observers are told, in which order, and with what inside.

mod support;

use std::sync::{Arc, Mutex};

use larder::{Event, Operations, Policy, Verdict};
use support::{Cached, Log, Origin, World, secs};

fn scene(policy: Policy) -> (Arc<World>, Log, Origin, Cached) {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, policy);
    (world, log, origin, function)
}

#[test]
fn a_life_is_told_in_order() {
    let (world, log, origin, function) = scene(Policy::new().ttl("1m").stale("1m"));
    let call = || world.run(function.clone().call("k"));
    assert_eq!(call(), Ok(1));
    assert_eq!(log.take(), ["miss k", "loaded k", "stored k"]);
    assert_eq!(call(), Ok(1));
    assert_eq!(log.take(), ["hit k Fresh"]);
    world.advance(secs(60));
    assert_eq!(call(), Ok(1));
    assert_eq!(log.take(), ["hit k Refresh", "loaded k", "stored k"]);
    world.clock_on(secs(120));
    origin.fails("down");
    assert!(call().is_err());
    assert_eq!(log.take(), ["expired k", "miss k", "load failed k"]);
}

#[test]
fn a_saved_failure_is_told_after_the_failure() {
    let (world, log, origin, function) = scene(Policy::new().ttl("1m").fail_safe("1h"));
    assert_eq!(world.run(function.clone().call("k")), Ok(1));
    world.clock_on(secs(90));
    origin.fails("down");
    log.take();
    assert_eq!(world.run(function.clone().call("k")), Ok(1));
    assert_eq!(log.take(), ["miss k", "load failed k", "saved k"]);
}

#[test]
fn invalidations_say_what_was_meant() {
    let world = World::new();
    let log = Log::default();
    let cache = world
        .builder()
        .prefix("p:")
        .observer(log.clone())
        .build()
        .unwrap();
    let cache = cache.blocking();
    cache.delete("k").unwrap();
    cache.delete_many(["a", "b"]).unwrap();
    cache.delete_prefix("u:").unwrap();
    cache.delete_pattern("u:*").unwrap();
    cache.delete_tags(["t"]).unwrap();
    cache.clear().unwrap();
    assert_eq!(
        log.take(),
        [
            "invalidated Keys([\"k\"])",
            "invalidated Keys([\"a\", \"b\"])",
            "invalidated Prefix(\"u:\")",
            "invalidated Pattern(\"u:*\")",
            "invalidated Tags([\"t\"])",
            "invalidated All",
        ]
    );
}

#[test]
fn events_carry_verdicts_ages_and_times() {
    let world = World::new();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let observer = {
        let seen = Arc::clone(&seen);
        move |event: &Event<'_>| {
            let text = match event {
                Event::Hit { verdict, age, .. } => {
                    assert_eq!(*verdict, Verdict::Fresh);
                    format!("hit at {age:?}")
                }
                Event::Loaded { took, .. } => format!("loaded in {took:?}"),
                Event::LoadFailed { took, .. } => format!("failed in {took:?}"),
                Event::Saved { age, .. } => format!("saved at {age:?}"),
                _ => return,
            };
            seen.lock().unwrap().push(text);
        }
    };
    let cache = world.observed(observer);
    let origin = Origin::new(&world, 1);
    let policy = Policy::new().ttl("1m").fail_safe("1h");
    let function = Cached::new(&cache, &origin, policy);
    let call = || {
        let call = world.spawn(function.clone().call("k"));
        world.advance(secs(3));
        assert_eq!(call.value(), Ok(1));
    };
    origin.takes(secs(3));
    call();
    call();
    world.advance(secs(60));
    origin.fails("down");
    call();
    let seen = seen.lock().unwrap();
    // The second call came right after the first one's load; the third at 63 s and its source took 3 s more.
    assert_eq!(
        *seen,
        ["loaded in 3s", "hit at 0ns", "failed in 3s", "saved at 66s"]
    );
}

#[test]
fn an_event_shows_itself_with_its_key_and_never_a_value() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let observer = {
        let told = Arc::clone(&told);
        move |event: &Event<'_>| told.lock().unwrap().push(event.to_string())
    };
    let world = World::new();
    let cache = world.observed(observer);
    cache
        .blocking()
        .set("user:7", "secret")
        .ttl("1m")
        .wait()
        .unwrap();
    cache.blocking().get::<String>("user:7").unwrap();
    let told = told.lock().unwrap();
    assert!(told.iter().all(|text| text.contains("user:7")), "{told:?}");
    assert!(told.iter().all(|text| !text.contains("secret")), "{told:?}");
    let shown = format!(
        "{cache:?} {:?}",
        cache.blocking().explain("user:7").unwrap()
    );
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn several_observers_are_all_told() {
    let world = World::new();
    let logs = [Log::default(), Log::default()];
    let builder = world.builder().observer(logs[0].clone());
    let cache = builder.observer(logs[1].clone()).build().unwrap();
    cache.blocking().get::<u64>("k").unwrap();
    for log in logs {
        assert_eq!(log.take(), ["miss k"]);
    }
}

#[test]
fn what_is_switched_off_is_not_told_as_done() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    cache.switch_off(Operations::ALL);
    let blocking = cache.blocking();
    assert!(!blocking.set("k", &1_u64).ttl("1m").wait().unwrap());
    blocking.delete("k").unwrap();
    blocking.delete_tags(["t"]).unwrap();
    blocking.clear().unwrap();
    assert_eq!(log.take(), Vec::<String>::new());
}

#[test]
fn a_refused_write_is_not_told_as_stored() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    let cache = cache.blocking();
    cache.set("k", &1_u64).ttl("1m").wait().unwrap();
    log.take();
    cache.set("k", &2_u64).ttl("1m").if_absent().wait().unwrap();
    cache
        .set("x", &2_u64)
        .ttl("1m")
        .if_present()
        .wait()
        .unwrap();
    drop(cache.set("x", &2_u64).wait());
    assert_eq!(log.count("stored"), 0);
}
