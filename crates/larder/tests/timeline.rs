//! Every strategy end to end, in virtual time: when the source is asked, and what a caller gets.

mod support;

use larder::{ErrorKind, Policy};
use support::{Cached, Log, Oops, Origin, World, millis, secs};

fn ten_minutes() -> Policy {
    Policy::new().ttl("10m")
}

/// A world with one cached function of the policy, over a source that gives 1.
struct Scene {
    world: std::sync::Arc<World>,
    log: Log,
    origin: Origin,
    function: Cached,
}

impl Scene {
    fn new(policy: Policy) -> Self {
        let world = World::new();
        let log = Log::default();
        let cache = world.observed(log.clone());
        let origin = Origin::new(&world, 1);
        let function = Cached::new(&cache, &origin, policy);
        Self {
            world,
            log,
            origin,
            function,
        }
    }

    fn with(mut self, change: impl FnOnce(Cached) -> Cached) -> Self {
        self.function = change(self.function);
        self
    }

    /// What a caller gets now; a call that has to wait fails the test. Loads behind run afterwards.
    #[track_caller]
    fn call(&self) -> Result<u64, Oops> {
        let call = self.world.spawn(self.function.clone().call("k"));
        self.world.settle();
        call.value()
    }

    fn get(&self) -> Option<u64> {
        self.function.cache.blocking().get("k").unwrap()
    }
}

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

#[test]
fn get_or_load_follows_the_timeline() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let policy = ten_minutes().fail_safe("1h");
    let ask = || {
        let (cache, origin) = (cache.clone(), origin.clone());
        world.run(async move {
            let load = || async move { origin.call().await };
            cache.get_or_load("k", load).policy(policy).await
        })
    };
    assert_eq!(ask().unwrap(), 1);
    origin.gives(2);
    assert_eq!(ask().unwrap(), 1);
    world.advance(secs(600));
    origin.fails("down");
    assert_eq!(ask().unwrap(), 1, "saved");
    world.advance(secs(10));
    origin.gives(2);
    assert_eq!(ask().unwrap(), 2);
    origin.fails("down");
    world.advance(secs(600 + 3_600));
    let error = ask().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert_eq!(error.source_as::<Oops>(), Some(&Oops("down")));
    assert_eq!(
        error.to_string(),
        "get_or_load `k`: the source failed: down"
    );
    assert_eq!(origin.calls(), 4);
}

#[test]
fn get_or_load_refuses_a_bad_policy_before_it_loads() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    for (policy, message) in [
        (Policy::new(), "get_or_load `k`: no `ttl`"),
        (
            Policy::new().ttl("0s"),
            "get_or_load `k`: a duration cannot be zero",
        ),
        (
            ten_minutes().soft("1h"),
            "get_or_load `k`: `soft` must be shorter than `ttl`",
        ),
    ] {
        let load = || origin.call_now();
        let error = cache
            .blocking()
            .get_or_load("k", load)
            .policy(policy)
            .wait();
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().starts_with(message), "{error}");
    }
    assert_eq!(origin.calls(), 0);
}

#[test]
fn a_caches_defaults_hold_where_nothing_is_said_and_together_with_what_is() {
    let world = World::new();
    let defaults = Policy::new().ttl("1m").fail_safe("1h");
    let cache = world.builder().defaults(defaults).build().unwrap();
    let origin = Origin::new(&world, 1);
    let ask = |policy: Policy| {
        let load = || origin.call_now();
        let loading = cache.blocking().get_or_load("k", load);
        loading.policy(policy).wait().map_err(|e| e.kind())
    };
    assert_eq!(ask(Policy::new()), Ok(1));
    world.advance(secs(60));
    origin.fails("down");
    assert_eq!(ask(Policy::new()), Ok(1), "the default's fail_safe");
    let error = ask(Policy::new().soft("5m"));
    assert_eq!(
        error,
        Err(ErrorKind::InvalidPolicy),
        "soft against the default ttl"
    );
}
