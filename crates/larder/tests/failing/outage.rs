//! Servers that are not there, do not answer, die and come back.

use std::time::Instant;

use larder::scope;

use crate::memcached_server;
use crate::node::{LIMIT, Node, Pair};
use crate::origin::{Origin, fresh, held};
use crate::servers::Server;
use crate::subject::{Kind, drive, on_each};

#[test]
fn a_server_that_was_never_started_costs_no_wait_and_is_used_when_it_comes() {
    on_each(async |mut subject| {
        subject.server.kill();
        let (origin, pair) = (Origin::new(), Pair::new(&subject.name(), &subject.url()));
        pair.a.call(&origin, fresh()).await;
        pair.a.fifty(&origin).await;
        pair.a.is_steady(&origin).await;
        assert!(pair.a.cache.stats().store_failures > 0);
        subject.server.start_again();
        pair.heals(&origin).await;
        pair.warm(&origin).await;
    });
}

#[test]
fn a_server_that_stops_costs_one_limit_then_none_and_is_used_when_it_goes_on() {
    on_each(async |subject| {
        let (origin, pair) = (Origin::new(), Pair::new(&subject.name(), &subject.url()));
        let warm = pair.warm(&origin).await;
        subject.server.stop();
        let before = pair.a.cache.stats();
        pair.a.call(&origin, fresh()).await;
        let since = pair.a.cache.stats().since(&before);
        assert_eq!(
            since.store_failures,
            1,
            "{}: no fill after a read that failed",
            subject.name()
        );
        // All for one: they wait together, and the source is asked once.
        let (one, loads) = (fresh(), origin.loads());
        let calls = (0..50).map(|_| pair.a.call(&origin, one));
        futures_util::future::join_all(calls).await;
        assert_eq!(origin.loads(), loads + 1, "{}", subject.name());
        pair.a.fifty(&origin).await;
        pair.a.is_steady(&origin).await;
        pair.a.call(&origin, warm).await;
        let since = pair.a.cache.stats().since(&before);
        // Where copies are kept true, a lost connection takes the right to keep one.
        if subject.kind != Kind::ClientSide {
            assert_eq!(since.superseded, 0, "{}", subject.name());
        }
        subject.server.resume();
        pair.heals(&origin).await;
        // It has kept what it had.
        let loads = origin.loads();
        pair.b.call(&origin, warm).await;
        assert_eq!(origin.loads(), loads, "{}", subject.name());
    });
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_load_loses_only_the_keeping() {
    on_each(async |mut subject| {
        let (origin, pair) = (Origin::new(), Pair::new(&subject.name(), &subject.url()));
        pair.warm(&origin).await;
        let id = fresh();
        let call = scope().default_cache(&pair.a.cache).wrap(held(&origin, id));
        let fault = async {
            origin.began.notified().await;
            subject.server.kill();
            origin.go.add_permits(1);
            Instant::now()
        };
        let (given, released) = tokio::join!(call, fault);
        pair.a.check(&given, (id, 1), released);
        subject.server.start_again();
        pair.heals(&origin).await;
    });
}

#[test]
fn a_server_that_is_stopped_in_the_middle_of_a_load_costs_one_limit() {
    on_each(async |subject| {
        let (origin, pair) = (Origin::new(), Pair::new(&subject.name(), &subject.url()));
        pair.warm(&origin).await;
        let id = fresh();
        let call = scope().default_cache(&pair.a.cache).wrap(held(&origin, id));
        let fault = async {
            origin.began.notified().await;
            subject.server.stop();
            origin.go.add_permits(1);
            Instant::now()
        };
        let (given, released) = tokio::join!(call, fault);
        pair.a.check(&given, (id, 1), released);
        subject.server.resume();
        pair.heals(&origin).await;
    });
}

#[test]
fn a_server_that_is_restarted_empty_is_filled_again() {
    on_each(async |mut subject| {
        let (origin, pair) = (Origin::new(), Pair::new(&subject.name(), &subject.url()));
        let id = pair.warm(&origin).await;
        subject.server.kill();
        subject.server.start_again();
        // A process that is new to the server.
        let c = Node::new("c", &subject.url());
        let loads = origin.loads();
        c.call(&origin, id).await;
        assert_eq!(origin.loads(), loads + 1, "{}", subject.name());
        pair.a.call(&origin, id).await;
        pair.b.call(&origin, id).await;
        pair.heals(&origin).await;
        pair.warm(&origin).await;
    });
}

#[test]
fn outages_one_after_another_are_all_survived() {
    on_each(async |mut subject| {
        let (origin, pair) = (Origin::new(), Pair::new(&subject.name(), &subject.url()));
        for _ in 0..3 {
            subject.server.kill();
            pair.a.fifty(&origin).await;
            subject.server.start_again();
            pair.heals(&origin).await;
        }
    });
}

#[test]
fn one_server_of_three_that_stops_costs_a_few_waits_and_the_others_go_on() {
    drive(async {
        let servers: Vec<Server> = (0..3).map(|_| memcached_server::alone()).collect();
        let hosts: Vec<String> = servers.iter().map(Server::address).collect();
        let url = format!("memcached://{}?prefix=f:", hosts.join(","));
        let (origin, pair) = (Origin::new(), Pair::new("three", &url));
        pair.warm(&origin).await;
        servers[0].stop();
        let began = Instant::now();
        let mut waits = 0;
        for _ in 0..60 {
            waits += usize::from(pair.a.call(&origin, fresh()).await > LIMIT / 2);
        }
        eprintln!(
            "{waits} waits in {:?}, {:?}",
            began.elapsed(),
            pair.a.cache.stats()
        );
        assert!(waits <= 12, "{waits} of 60 calls waited");
        servers[0].resume();
        pair.heals(&origin).await;
    });
}
