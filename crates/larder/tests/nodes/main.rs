//! Several processes on one store, in many schedules: what one has invalidated no other serves, loads are shared, every call ends, all come to agree.
//!
//! Each schedule has 2 to 4 nodes, each the real engine, some with copies in memory. They share a [`MemoryStore`](larder::testing::MemoryStore) behind a time limit.
//!
//! | invariant | holds |
//! |---|---|
//! | What was read before an acknowledged invalidation (key, prefix, pattern, tag, all) began is not given to a call that began after the acknowledgement | on every node; with copies in memory, on other nodes than the one that invalidated only from `memory_ttl` past the acknowledgement on. Also with lost, late and doubled messages, cut links, crashed nodes, a crashed store, and a store whose clock runs at half or double speed; but who joins a load that began without a lease, because the store could not be reached, shares it |
//! | The same for a `set`, a handle's `put` and a `#[cache_put]`, against values that were loaded | the first two always, the last without faults: a function cannot tell that its store has failed |
//! | The same for what a `#[cache_put]` wrote | without faults, unless the invalidation was acknowledged between the end of its source and its own: the port cannot check a lease and end it in one step |
//! | No value is given past its life | always |
//! | At most one load of a key runs on a node at a time, but for those that an invalidation on this node has parted | always |
//! | A cached function gives what its source gave, and ends in a time that depends on its sources and the limits only | always |
//! | An increment that was acknowledged counts once | without doubled messages, and while the store does not crash; one that was not may count |
//! | Once all is healed and cleared, a value that one node has loaded is what all give, without a load of their own | always |
//!
//! What a fault keeps from being acknowledged promises nothing: a removal whose answer was lost may have had its effect or not.
#![cfg(feature = "serde")]

mod call;
mod forget;
mod judge;
mod limited;
mod log;
#[allow(dead_code)]
#[path = "../simulation/plan.rs"]
mod plan;
mod scene;
mod source;
mod step;
mod storm;

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
    fn nodes_agree_in_the_first_schedules() {
        holds(0..16_000);
    }

    #[test]
    fn nodes_agree_in_the_second_schedules() {
        holds(16_000..32_000);
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
