//! What is left out, and how operations end.

use larder::middleware::Action;
use larder::transaction::Mode;
use larder::{Cache, ErrorKind, Operations, Policy, cached, deferred};

use crate::Spy;
use crate::support::{Cached, Origin, World, secs};

fn refusing(action: Action, part: &'static str) -> (Spy, Cache) {
    let spy = Spy::new();
    let cache = Cache::builder()
        .middleware(spy.clone())
        .middleware(Spy::new().refusing(action, part))
        .build()
        .unwrap();
    (spy, cache)
}

#[test]
fn a_read_that_is_left_out_is_a_miss_wherever_the_entry_is() {
    #[cached(cache = cache, key = "secret:{n}", ttl = "1m")]
    fn secret(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n + 1
    }
    let (spy, cache) = refusing(Action::Get, "secret");
    let blocking = cache.blocking();
    blocking.set("secret:1", &100_u64).ttl("1m").wait().unwrap();
    assert_eq!(blocking.get::<u64>("secret:1").unwrap(), None);
    assert_eq!(
        blocking.get_many::<u64>(["secret:1", "x"]).unwrap(),
        [None, None]
    );
    assert_eq!(cache.local().get::<u64>("secret:1").unwrap(), None);
    assert_eq!(secret(&cache, 1), 2, "the source is asked");
    assert_eq!(secret(&cache, 1), 2, "each time");
    let load = |keys: Vec<String>| async move {
        Ok::<_, std::io::Error>(keys.into_iter().map(|key| (key, 3_u64)).collect())
    };
    let found = cache
        .get_or_load_many(["secret:1", "y"], load)
        .ttl("1m")
        .wait()
        .unwrap();
    assert_eq!((found["secret:1"], found["y"]), (3, 3));
    assert!(
        spy.take()
            .iter()
            .filter(|line| line.ends_with(": LeftOut"))
            .count()
            >= 5
    );
    assert_eq!(cache.stats().hits(), 0);
}

#[test]
fn a_write_that_is_left_out_writes_nothing() {
    let (spy, cache) = refusing(Action::Set, "");
    let value = cache
        .blocking()
        .get_or_load("k", || Ok::<_, std::io::Error>(7_u64))
        .ttl("1m");
    assert_eq!(value.wait().unwrap(), 7);
    assert_eq!(
        spy.take(),
        ["get k: Miss", "load k: Done", "set k: LeftOut"]
    );
    assert!(cache.is_empty());
}

#[test]
fn other_operations_that_are_left_out_do_nothing() {
    let (_, cache) = refusing(Action::Delete, "k");
    let blocking = cache.blocking();
    blocking
        .set_many([("k1", 1_i64), ("x", 2)])
        .ttl("1m")
        .wait()
        .unwrap();
    assert!(!blocking.delete("k1").unwrap());
    assert_eq!(blocking.delete_many(["k1", "x"]).unwrap(), 1);
    assert!(blocking.exists("k1").unwrap());
    let (_, cache) = refusing(Action::Invalidate, "");
    cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    cache.blocking().clear().unwrap();
    assert_eq!(cache.len(), 1);
    let (_, cache) = refusing(Action::Touch, "");
    cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    assert!(!cache.blocking().touch("k", "1h").unwrap());
    let (_, cache) = refusing(Action::Exists, "");
    cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    assert!(!cache.blocking().exists("k").unwrap());
}

#[test]
fn an_increment_that_is_left_out_is_an_error_because_it_has_no_number_to_give() {
    let (_, cache) = refusing(Action::Increment, "");
    let error = cache
        .blocking()
        .increment("n", 1)
        .ttl("1m")
        .wait()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error.to_string().contains("middleware has left it out"),
        "{error}"
    );
}

#[test]
fn a_load_cannot_be_left_out() {
    let (spy, cache) = refusing(Action::Load, "");
    let value = cache
        .blocking()
        .get_or_load("k", || Ok::<_, std::io::Error>(7_u64))
        .ttl("1m");
    assert_eq!(value.wait().unwrap(), 7);
    assert_eq!(spy.take(), ["get k: Miss", "load k: Done", "set k: Done"]);
}

#[test]
fn what_is_switched_off_is_not_asked_about() {
    let spy = Spy::new();
    let cache = Cache::builder()
        .middleware(spy.clone())
        .off(Operations::READ)
        .build()
        .unwrap();
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), None);
    assert_eq!(spy.take(), [""; 0]);
}

#[test]
fn loads_and_their_failures_are_told_also_of_those_that_run_behind() {
    let world = World::new();
    let spy = Spy::new();
    let cache = world.builder().middleware(spy.clone()).build().unwrap();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1m").stale("1m"));
    let call = || world.run(function.clone().call("k"));
    call().unwrap();
    spy.take();
    world.advance(secs(61));
    call().unwrap();
    assert_eq!(
        spy.take(),
        ["get k: Hit"],
        "a function that was not told how to reload behind is served"
    );
    origin.fails("down");
    assert!(world.run(function.clone().refresh("k")).is_err());
    assert_eq!(spy.take(), ["load k: Failed"]);
    origin.gives(2);
    world.run(function.clone().put("k")).unwrap();
    assert_eq!(spy.take(), ["load k: Done", "set k: Done"]);
}

#[test]
fn a_stale_hit_of_an_attribute_reloads_behind_and_is_told() {
    #[cached(cache = cache, key = "n:{n}", ttl = "1m", stale = "1m")]
    async fn double(cache: Cache, n: u64) -> u64 {
        let _ = cache;
        n * 2
    }
    let world = World::new();
    let spy = Spy::new();
    let cache = world.builder().middleware(spy.clone()).build().unwrap();
    assert_eq!(world.run(double(cache.clone(), 2)), 4);
    world.advance(secs(61));
    spy.take();
    assert_eq!(world.run(double(cache.clone(), 2)), 4);
    assert_eq!(
        spy.take(),
        ["get n:2: Hit", "load n:2: Done", "set n:2: Done"]
    );
}

#[test]
fn a_value_that_was_invalidated_while_it_was_computed_is_no_write() {
    let world = World::new();
    let spy = Spy::new();
    let cache = world.builder().middleware(spy.clone()).build().unwrap();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1m"));
    let gate = origin.hold();
    let call = world.spawn(function.call("k"));
    world.settle();
    cache.blocking().delete("k").unwrap();
    gate.open();
    world.settle();
    call.value().unwrap();
    let expected = [
        "get k: Miss",
        "delete k: Nothing",
        "load k: Done",
        "set k: Nothing",
    ];
    assert_eq!(spy.take(), expected);
}

#[test]
fn who_waits_for_anothers_load_has_missed() {
    let world = World::new();
    let spy = Spy::new();
    let cache = world.builder().middleware(spy.clone()).build().unwrap();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1m"));
    let gate = origin.hold();
    let calls = [
        world.spawn(function.clone().call("k")),
        world.spawn(function.call("k")),
    ];
    world.settle();
    gate.open();
    world.settle();
    calls.into_iter().for_each(|call| drop(call.value()));
    let told = spy.take();
    assert_eq!(
        told.iter().filter(|line| *line == "get k: Miss").count(),
        2,
        "{told:?}"
    );
    assert_eq!(
        told.iter().filter(|line| *line == "load k: Done").count(),
        1
    );
}

#[test]
fn a_read_of_a_function_inside_ends_as_it_does_outside() {
    let world = World::new();
    let spy = Spy::new();
    let cache = world.builder().middleware(spy.clone()).build().unwrap();
    let function = Cached::new(&cache, &Origin::new(&world, 1), Policy::new().ttl("1m"));
    world.run(async move {
        let done: Result<(), larder::Error> = cache
            .transaction(Mode::Fast, |_| async {
                assert_eq!(function.clone().call("k").await, Ok(1));
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(spy.take()[0], "get k: Miss");
        let pending = deferred();
        let loaded = pending.wrap(function.clone().call("other")).await;
        assert_eq!(loaded, Ok(1));
        assert_eq!(spy.take()[0], "get other: Miss");
    });
}

#[test]
fn a_read_that_is_left_out_inside_is_a_miss_wherever_the_entry_is() {
    let world = World::new();
    let refusing = Spy::new().refusing(Action::Get, "secret");
    let cache = world.builder().middleware(refusing).build().unwrap();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1m"));
    world.run(async move {
        let done: Result<(), larder::Error> = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("secret", &100_u64).ttl("1m").await?;
                for _ in 0..2 {
                    assert_eq!(function.clone().call("secret").await, Ok(1));
                }
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(origin.calls(), 2, "the source is asked each time");
    });
}
