//! Servers that are well, at the end of a wire that is not.

use std::time::{Duration, Instant};

use larder::scope;

use crate::node::{LIMIT, Pair, SLACK};
use crate::origin::{Answer, Origin, fresh, late};
use crate::subject::{Kind, Subject, drive, on_each};
use crate::weather::{Weather, Wire};

const SEED: u64 = 0x5EED_0FFA;

#[test]
fn a_slow_server_is_used_within_its_limit_and_left_alone_beyond() {
    on_each(async |subject| {
        let wire = Wire::to(subject.server.port(), SEED);
        let (origin, pair) = (
            Origin::new(),
            Pair::new(&subject.name(), &subject.url_by(wire.port())),
        );
        pair.warm(&origin).await;
        wire.turn(Weather::Slow(Duration::from_millis(50)));
        pair.warm(&origin).await;
        wire.turn(Weather::Slow(LIMIT * 3));
        pair.a.call(&origin, fresh()).await;
        pair.a.fifty(&origin).await;
        pair.a.is_steady(&origin).await;
        wire.turn(Weather::Clear);
        pair.heals(&origin).await;
    });
}

#[test]
fn answers_that_are_noise_are_no_values_and_their_connections_are_given_up() {
    on_each(async |subject| {
        for weather in [Weather::Noise, Weather::Web] {
            let wire = Wire::to(subject.server.port(), SEED);
            let (origin, pair) = (
                Origin::new(),
                Pair::new(&subject.name(), &subject.url_by(wire.port())),
            );
            let warm = pair.warm(&origin).await;
            wire.turn(weather);
            for _ in 0..5 {
                pair.a.call(&origin, fresh()).await;
            }
            pair.a.call(&origin, warm).await;
            pair.a.fifty(&origin).await;
            wire.turn(Weather::Clear);
            pair.heals(&origin).await;
        }
    });
}

#[test]
fn connections_cut_at_any_byte_are_made_anew() {
    on_each(async |subject| {
        let wire = Wire::to(subject.server.port(), SEED);
        let (origin, pair) = (
            Origin::new(),
            Pair::new(&subject.name(), &subject.url_by(wire.port())),
        );
        let mut known = Vec::new();
        for round in 0..10 {
            wire.turn(Weather::Cut);
            for _ in 0..20 {
                let id = fresh();
                pair.a.call(&origin, id).await;
                pair.b.call(&origin, id).await;
                known.push(id);
                let again = known[known.len() * round / 10];
                pair.b.call(&origin, again).await;
            }
            wire.turn(Weather::Clear);
            pair.heals(&origin).await;
        }
    });
}

#[test]
fn connections_that_die_in_silence_are_made_anew() {
    on_each(async |subject| {
        let wire = Wire::to(subject.server.port(), SEED);
        let (origin, pair) = (
            Origin::new(),
            Pair::new(&subject.name(), &subject.url_by(wire.port())),
        );
        pair.warm(&origin).await;
        wire.turn(Weather::Hole);
        pair.a.call(&origin, fresh()).await;
        pair.b.call(&origin, fresh()).await;
        pair.a.fifty(&origin).await;
        pair.a.is_steady(&origin).await;
        wire.turn(Weather::Clear);
        pair.heals(&origin).await;
    });
}

#[test]
fn a_store_that_is_lost_between_two_questions_of_one_call_is_not_asked_a_third() {
    let subject = Subject::start(Kind::Redis);
    drive(async {
        let wire = Wire::to(subject.server.port(), SEED);
        let (origin, pair) = (Origin::new(), Pair::new("Redis", &subject.url()));
        let through = Pair::new("through", &subject.url_by(wire.port())).a;
        let id = fresh();
        let call = |node: &larder::Cache| scope().default_cache(node).wrap(late(&origin, id));
        call(&pair.a.cache).await;
        call(&through.cache).await;
        assert_eq!(origin.loads(), 1);
        let before = through.cache.stats();
        // The entry comes; what became of its tag does not.
        wire.turn(Weather::HoleAfter(1));
        let began = Instant::now();
        let given = call(&through.cache).await;
        through.check(&given, (id, 1), began);
        assert_eq!(origin.loads(), 2);
        let since = through.cache.stats().since(&before);
        assert_eq!(since.store_failures, 1, "neither a lease nor a fill");
    });
}

#[test]
fn a_store_that_is_lost_on_the_way_to_many_costs_one_limit_for_all() {
    let subject = Subject::start(Kind::Redis);
    drive(async {
        let wire = Wire::to(subject.server.port(), SEED);
        let origin = Origin::new();
        let pair = Pair::new("Redis", &subject.url_by(wire.port()));
        let ids: Vec<u64> = (0..4).map(|_| fresh()).collect();
        for id in &ids {
            let here = scope().default_cache(&pair.a.cache);
            here.wrap(late(&origin, *id)).await;
        }
        let keys: Vec<String> = ids.iter().map(|id| format!("late:{id}")).collect();
        let found = pair.b.cache.get_many::<Answer>(&keys).await.unwrap();
        assert_eq!(found.len(), keys.len());
        wire.turn(Weather::HoleAfter(1));
        let began = Instant::now();
        let found = pair.b.cache.get_many::<Answer>(&keys).await;
        assert!(found.is_err());
        assert!(began.elapsed() < LIMIT + SLACK, "{:?}", began.elapsed());
    });
}
