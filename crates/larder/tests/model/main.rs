//! The direct operations against a reference model that fits on two pages, in virtual time.

mod engine;
mod operation;
mod reference;

use larder::testing::Simulation;
use operation::{KEYS, Knob, Operation, PATTERNS, TAGS, Terms};
use proptest::prelude::*;

fn terms() -> impl Strategy<Value = Terms> {
    let knob = prop_oneof![
        3 => Just(Knob::Plain),
        1 => (1..20_u64).prop_map(Knob::Stale),
        1 => Just(Knob::Soft),
        2 => (1..20_u64).prop_map(Knob::FailSafe),
        1 => Just(Knob::Failover),
        1 => (1..4_u32).prop_map(Knob::Hits),
    ];
    (2..30_u64, knob).prop_map(|(ttl, knob)| Terms { ttl, knob })
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = || 0..KEYS.len();
    let tags = || prop::collection::vec(0..TAGS.len(), 0..3);
    let some_keys = || prop::sample::subsequence((0..KEYS.len()).collect::<Vec<_>>(), 1..4);
    let value = || -9..10_i64;
    prop_oneof![
        4 => (key(), value(), terms(), tags(), any::<Option<bool>>())
            .prop_map(|(k, v, terms, tags, present)| Operation::Set(k, v, terms, tags, present)),
        1 => (some_keys(), value(), terms()).prop_map(|(k, v, terms)| Operation::SetMany(k, v, terms)),
        4 => key().prop_map(Operation::Get),
        1 => some_keys().prop_map(Operation::GetMany),
        4 => (key(), prop::option::of(value()), terms()).prop_map(|(k, v, terms)| Operation::Load(k, v, terms)),
        2 => (key(), value(), 2..30_u64).prop_map(|(k, by, ttl)| Operation::Increment(k, by, ttl)),
        2 => (key(), 1..30_u64).prop_map(|(k, ttl)| Operation::Touch(k, ttl)),
        2 => key().prop_map(Operation::Exists),
        2 => key().prop_map(Operation::Remaining),
        1 => (0..PATTERNS.len()).prop_map(Operation::Scan),
        1 => key().prop_map(Operation::Delete),
        1 => (key(), 0..4_usize).prop_map(|(k, length)| Operation::DeletePrefix(k, length.min(KEYS[k].len()))),
        1 => (0..PATTERNS.len()).prop_map(Operation::DeletePattern),
        1 => tags().prop_map(Operation::DeleteTags),
        1 => Just(Operation::Clear),
        6 => (1..15_u64).prop_map(Operation::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_operation_answers_as_the_model_does(operations in prop::collection::vec(operation(), 1..60)) {
        let simulation = Simulation::new(1);
        let cache = simulation.cache_builder().prefix("p:").build().unwrap();
        let mut model = reference::Model::default();
        for (at, operation) in operations.iter().enumerate() {
            let answer = engine::run(&simulation, &cache, operation);
            prop_assert_eq!(answer.unwrap(), model.run(operation), "operation {}: {:?}", at, operation);
        }
    }
}
