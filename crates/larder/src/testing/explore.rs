//! Many schedules, and one of them again.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use super::Simulation;

/// The variable that names the one seed to run.
const SEED: &str = "LARDER_SEED";

/// Runs a closure in one fresh [`Simulation`] for each seed.
///
/// When it panics, the seed is printed with the command that runs it alone: with the environment variable `LARDER_SEED` set, only that
/// seed is run, whatever `seeds` says. The seeds are the same in each run; take other ranges to look further.
///
/// ```
/// larder::testing::explore(0..10, |simulation| {
///     let cache = simulation.cache_builder().build().unwrap();
///     cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
///     assert!(cache.blocking().exists("k").unwrap());
/// });
/// ```
///
/// # Panics
/// With the closure's own panic; when `LARDER_SEED` is not a whole number.
pub fn explore(seeds: Range<u64>, run: impl Fn(&Simulation)) {
    match replayed() {
        Some(seed) => one(seed, &run),
        None => seeds.for_each(|seed| one(seed, &run)),
    }
}

fn replayed() -> Option<u64> {
    let seed = std::env::var(SEED).ok()?;
    match seed.parse() {
        Ok(seed) => Some(seed),
        Err(_) => panic!("{SEED}={seed}: a seed is a whole number"),
    }
}

fn one(seed: u64, run: &impl Fn(&Simulation)) {
    let simulation = Simulation::new(seed);
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(&simulation))) else {
        return;
    };
    let thread = thread::current();
    // The test harness names the thread after the test, unless it runs all of them on its own.
    let test = thread.name().filter(|name| *name != "main");
    eprintln!(
        "this was seed {seed}; to run it alone: {SEED}={seed} cargo test {}",
        test.unwrap_or_default()
    );
    resume_unwind(panic);
}
