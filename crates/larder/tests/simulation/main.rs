//! Many tasks over the real engine, in many schedules: what was invalidated is not served, a key is loaded once at a time, every call ends.

mod call;
mod judge;
mod log;
mod plan;
mod polled;
mod scene;
mod source;
mod step;

#[cfg(not(any(larder_broken_lease, larder_broken_flight)))]
mod whole {
    use larder::testing::explore;

    fn holds(seeds: std::ops::Range<u64>) {
        explore(seeds, |simulation| {
            let violations = super::step::run(simulation);
            assert!(violations.is_empty(), "{}", violations.join("\n"));
        });
    }

    #[test]
    fn nothing_invalidated_is_served_in_the_first_schedules() {
        holds(0..30_000);
    }

    #[test]
    fn nothing_invalidated_is_served_in_the_second_schedules() {
        holds(30_000..60_000);
    }

    #[test]
    fn nothing_invalidated_is_served_in_the_third_schedules() {
        holds(60_000..90_000);
    }

    #[test]
    fn nothing_invalidated_is_served_in_the_fourth_schedules() {
        holds(90_000..120_000);
    }
}

/// A simulation that cannot fail proves nothing: these run with a part of the engine taken out.
#[cfg(any(larder_broken_lease, larder_broken_flight))]
mod broken {
    use larder::testing::Simulation;

    fn found(violation: &str) {
        let seed = (0..1_000).find(|seed| {
            let violations = super::step::run(&Simulation::new(*seed));
            violations.iter().any(|found| found.contains(violation))
        });
        let seed = seed.expect("the simulation must find what is broken");
        println!("found by seed {seed}");
    }

    #[cfg(larder_broken_lease)]
    #[test]
    fn a_lease_that_is_not_checked_is_found() {
        found("was given what was read");
    }

    #[cfg(larder_broken_flight)]
    #[test]
    fn a_flight_that_nobody_joins_is_found() {
        found("two loads");
    }
}
