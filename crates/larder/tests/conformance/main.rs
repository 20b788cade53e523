//! The suite, run against the store without a server, and against stores that are wrong in one thing.

use std::sync::Arc;
use std::time::Duration;

use larder::conformance::{self, Subject};
use larder::runtime::{BoxFuture, Runtime};
use larder::store::Store;
use larder::testing::{MemoryStore, Simulation};

mod mutant;

use mutant::{Mutants, Wrong};

struct Memory(Simulation, MemoryStore);

impl Memory {
    fn new(seed: u64) -> Self {
        let simulation = Simulation::new(seed);
        let store = MemoryStore::new(simulation.runtime());
        Self(simulation, store)
    }
}

impl Subject for Memory {
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
        let store: Arc<dyn Store> = Arc::new(self.1.within(prefix));
        Box::pin(async move { Ok(store) })
    }

    fn wait(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.0.sleep(time)
    }

    fn now(&self) -> u64 {
        1_800_000_000_000 + self.0.clock().now().as_nanos() / 1_000_000
    }
}

#[test]
fn a_store_in_memory_does_what_every_store_must() {
    let memory = Memory::new(1);
    memory.0.block_on(conformance::all(&memory));
}

#[test]
fn every_mutant_is_caught_by_the_case_that_is_about_it() {
    for (wrong, case) in Wrong::ALL {
        let mutants = Mutants(Memory::new(1), *wrong);
        let failures = mutants.0.0.block_on(conformance::check(&mutants));
        let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
        assert!(
            failures.iter().any(|failure| failure.case() == *case),
            "{wrong:?} was not found by {case}, only by {told:#?}"
        );
    }
}

#[test]
fn a_failure_names_the_store_the_case_and_what_was_expected() {
    let mutants = Mutants(Memory::new(1), Wrong::ConditionIsIgnored);
    let run = async {
        let cases = conformance::cases();
        let case = cases
            .iter()
            .find(|case| case.name() == "conditions::absent_holds_once");
        case.expect("this case exists").run(&mutants).await
    };
    let failure = mutants.0.0.block_on(run).unwrap_err().to_string();
    let told = "mutant: conditions::absent_holds_once: writing if absent, twice: expected (true, false), got (true, true)";
    assert!(failure.starts_with(told), "{failure}");
}

#[test]
fn the_suite_says_the_same_under_many_seeds() {
    for seed in 0..10 {
        let memory = Memory::new(seed);
        memory.0.block_on(conformance::all(&memory));
    }
}
