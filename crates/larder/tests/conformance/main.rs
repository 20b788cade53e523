//! The suite, run against the store without a server, and against stores that are wrong in one thing.

use larder::conformance;

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
    for (wrong, case) in Wrong::ALL {
        let mutants = Mutants(Memory::new(1), *wrong);
        let failures = mutants.0.simulation.block_on(conformance::check(&mutants));
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
