//! The suite, run against the store without a server, and against stores that are wrong in one thing.

use std::sync::Arc;

use larder::conformance::{self, Subject};
use larder::runtime::{BoxFuture, SystemRuntime};
use larder::store::{Guarded, Store};
use larder::testing::MemoryStore;

#[path = "../stores/mod.rs"]
mod stores;

mod mutant;

use mutant::{Mutants, Wrong};
use stores::Memory;

#[test]
fn a_store_in_memory_does_what_every_store_must() {
    Memory::new(1).conforms();
}

#[test]
fn every_mutant_is_caught_by_the_case_that_is_about_it() {
    for (wrong, name) in Wrong::ALL {
        let mutants = Mutants(Memory::new(1), *wrong);
        let mut cases = conformance::cases().iter();
        let case = cases.find(|case| case.name() == *name);
        let case = case.unwrap_or_else(|| panic!("there is no case {name}"));
        let ran = mutants.0.simulation.block_on(case.run(&mutants));
        assert!(ran.is_err(), "{name} did not find {wrong:?}");
    }
}

/// Without a simulation: a thread that parks, and the waiting of real time.
#[test]
fn the_suite_runs_in_real_time_too() {
    struct Real(MemoryStore);
    impl Subject for Real {
        fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
            let guarded = Guarded::builder(
                Arc::new(self.0.within(prefix)),
                Arc::new(SystemRuntime::new()),
            );
            Box::pin(async move { Ok(Arc::new(guarded.build()) as _) })
        }
    }
    let real = Real(MemoryStore::new(Arc::new(SystemRuntime::new())));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(conformance::all(&real));
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
    let failure = mutants.0.simulation.block_on(run).unwrap_err().to_string();
    let told = "mutant: conditions::absent_holds_once: writing if absent, twice: expected (true, false), got (true, true)";
    assert!(failure.starts_with(told), "{failure}");
}

#[test]
fn the_suite_says_the_same_under_many_seeds() {
    for seed in 0..10 {
        Memory::new(seed).conforms();
    }
}
