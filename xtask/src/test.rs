//! `cargo xtask test`: everything that decides whether a change is good.

use crate::counts::Counts;
use crate::install;
use crate::step::{Outcome, Step, announce, choose, free_megabytes, step};

/// One line for each step. A step that runs no test at all fails: a filter or a `cfg` has lost its tests.
fn steps() -> Vec<Step> {
    vec![
        step(
            "tests",
            "test --workspace --all-features --locked --no-fail-fast",
        ),
        step(
            "broken lease is caught",
            "test --package larder --locked --test simulation",
        )
        .cfg("larder_broken_lease"),
        step(
            "broken lease is caught between nodes",
            "test --package larder --features serde --locked --test nodes",
        )
        .cfg("larder_broken_lease"),
        step(
            "broken flight is caught",
            "test --package larder --locked --test simulation",
        )
        .cfg("larder_broken_flight"),
        step(
            "interleavings of threads",
            "test --package larder --locked --test shuttle",
        )
        .cfg("shuttle"),
    ]
}

/// Tests that may be ignored, each with its reason beside it. Every other ignored test fails the run.
const MAY_BE_IGNORED: &[&str] = &[];

/// With fewer megabytes than this, linkers and test servers fail with messages that do not name the disk.
const FULL: u64 = 1024;

/// Runs all steps, or the one that is named, and closes with the sums.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let steps = choose(steps(), arguments)?;
    if steps.is_empty() {
        return Ok(());
    }
    install::all()?;
    let mut total = Counts::default();
    let mut lines = Vec::new();
    let mut failure = None;
    for step in &steps {
        announce(step);
        let outcome = step.run();
        lines.push(format!(
            "{:>7.1} s  {:>5} tests  {}",
            outcome.time.as_secs_f64(),
            outcome.counts.passed + outcome.counts.failed,
            step.name
        ));
        let fault = fault(&outcome);
        total.add(outcome.counts);
        if let Some(fault) = fault {
            failure = Some((step, fault));
            break;
        }
    }
    println!();
    for line in lines {
        println!("{line}");
    }
    if let Some((step, fault)) = &failure {
        println!("\nstep `{}` failed: {fault}", step.name);
        println!("run it alone: cargo xtask test '{}'", step.name);
        println!("which is:     {}", step.typed());
        if let Some(free) = free_megabytes().filter(|free| *free < FULL) {
            println!(
                "the disk is full: {free} MB are free where cargo builds; CONTRIBUTING.md tells what the tests need"
            );
        }
        // A step may fail without a failed test, for example because it does not compile.
        total.failed = total.failed.max(1);
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    match failure {
        None => Ok(()),
        Some(_) => Err(String::new()),
    }
}

fn fault(outcome: &Outcome) -> Option<String> {
    let counts = &outcome.counts;
    let skipped: Vec<&str> = counts
        .ignored
        .iter()
        .map(String::as_str)
        .filter(|name| !MAY_BE_IGNORED.contains(name))
        .collect();
    if counts.failed > 0 {
        Some(format!("{} of its tests failed", counts.failed))
    } else if !outcome.succeeded {
        Some("cargo ended with an error, see above".to_owned())
    } else if !skipped.is_empty() {
        Some(format!(
            "tests are ignored: {}; let them run, or list them in xtask/src/test.rs with the reason",
            skipped.join(", ")
        ))
    } else if counts.passed == 0 {
        Some("it ran no tests".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn outcome(succeeded: bool, passed: u64, failed: u64, ignored: &[&str]) -> Outcome {
        Outcome {
            succeeded,
            counts: Counts {
                passed,
                failed,
                ignored: ignored.iter().map(|&name| name.to_owned()).collect(),
            },
            time: Duration::ZERO,
        }
    }

    #[test]
    fn a_step_is_good_only_when_tests_ran_and_none_was_skipped() {
        assert_eq!(fault(&outcome(true, 3, 0, &[])), None);
        assert!(fault(&outcome(true, 0, 0, &[])).is_some());
        assert!(fault(&outcome(true, 3, 0, &["slow"])).is_some());
        assert!(fault(&outcome(true, 3, 1, &[])).is_some());
        assert!(fault(&outcome(false, 3, 0, &[])).is_some());
    }
}
