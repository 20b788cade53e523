//! What a simulation promises to those who test with it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::testing::{Simulation, explore, yield_now};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The order in which five tasks go through three steps each.
fn order(seed: u64) -> Vec<usize> {
    let simulation = Simulation::new(seed);
    let order = Arc::new(Mutex::new(Vec::new()));
    for task in 0..5 {
        let order = Arc::clone(&order);
        simulation.spawn(async move {
            for _ in 0..3 {
                order.lock().unwrap().push(task);
                yield_now().await;
            }
        });
    }
    simulation.run();
    let order = order.lock().unwrap();
    order.clone()
}

#[test]
fn a_seed_gives_one_schedule_and_other_seeds_give_others() {
    assert_eq!(order(7), order(7));
    let schedules: std::collections::HashSet<_> = (0..20).map(order).collect();
    assert!(schedules.len() > 15, "{} schedules", schedules.len());
}

#[test]
fn time_passes_only_when_nobody_can_go_on() {
    let simulation = Simulation::new(1);
    let clock = simulation.cache_builder().build().unwrap().clock();
    let start = clock.now();
    simulation.block_on(async {
        for _ in 0..100 {
            yield_now().await;
        }
    });
    assert_eq!(clock.now().since(start), Duration::ZERO);
    simulation.advance(millis(3));
    assert_eq!(clock.now().since(start), millis(3));
}

#[test]
fn with_lag_a_limit_passes_while_others_are_busy() {
    let simulation = Simulation::new(1).with_lag(millis(2));
    let busy = simulation.spawn(async {
        for _ in 0..1_000 {
            yield_now().await;
        }
    });
    simulation.block_on(simulation.sleep(millis(20)));
    assert!(busy.cancel(), "the other task was not done yet");
}

#[test]
fn tasks_that_nobody_will_wake_are_named_with_the_seed() {
    let simulation = Simulation::new(41);
    simulation.spawn(std::future::pending::<()>());
    let stuck = simulation.try_run().unwrap_err().to_string();
    assert!(stuck.contains("seed 41"), "{stuck}");
    assert!(stuck.contains("simulation_world.rs"), "{stuck}");
}

#[test]
fn a_cancelled_task_gives_nothing_and_drops_what_it_held() {
    let simulation = Simulation::new(1);
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let task = simulation.spawn(async move {
        std::future::pending::<()>().await;
        drop(inside);
    });
    simulation.advance(millis(1));
    assert_eq!(Arc::strong_count(&held), 2);
    assert!(task.cancel());
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(simulation.block_on(task), None);
}

#[test]
#[should_panic(expected = "the task's own panic")]
fn a_panic_of_a_task_is_the_test_s() {
    let simulation = Simulation::new(1);
    simulation.spawn(async { panic!("the task's own panic") });
    simulation.run();
}

#[test]
fn blocking_tasks_take_turns_with_the_others() {
    explore(0..50, |simulation| {
        let cache = simulation.cache_builder().build().unwrap();
        let ask = |world: &Simulation| {
            let (cache, world) = (cache.clone(), world.clone());
            move || {
                let slow = || {
                    world.wait(world.sleep(millis(5)));
                    Ok::<_, std::io::Error>(7)
                };
                cache
                    .blocking()
                    .get_or_load("k", slow)
                    .ttl("1h")
                    .wait()
                    .unwrap()
            }
        };
        let threads = [(); 3].map(|()| simulation.spawn_blocking(ask(simulation)));
        for thread in threads {
            assert_eq!(simulation.block_on(thread), Some(7));
        }
        assert_eq!(cache.stats().loads, 1);
    });
}

#[test]
fn a_blocking_task_that_is_cancelled_unwinds() {
    let simulation = Simulation::new(1);
    let held = Arc::new(());
    let (inside, world) = (Arc::clone(&held), simulation.clone());
    let task = simulation.spawn_blocking(move || {
        world.wait(std::future::pending::<()>());
        drop(inside);
    });
    simulation.advance(millis(1));
    assert!(task.cancel());
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
#[should_panic(expected = "spawn_blocking")]
fn a_blocking_wait_inside_an_async_task_says_what_to_do() {
    let simulation = Simulation::new(1);
    let world = simulation.clone();
    simulation.spawn(async move { world.wait(world.sleep(millis(1))) });
    simulation.run();
}
