//! The servers that the other tests lean on come up, stop, go on and are gone.

#![cfg(feature = "redis")]

#[path = "servers/redis.rs"]
mod redis_server;
#[path = "servers/mod.rs"]
mod servers;

use std::net::TcpListener;

#[test]
fn a_server_stops_goes_on_dies_and_comes_back_empty() {
    let mut server = redis_server::alone();
    let port = server.port();
    assert_eq!(redis_server::say(port, "SET a 1"), "+OK\r\n");
    server.stop();
    assert_eq!(redis_server::say(port, "GET a"), "");
    server.resume();
    assert_eq!(redis_server::say(port, "GET a"), "$1\r\n1\r\n");
    server.kill();
    assert_eq!(redis_server::say(port, "GET a"), "");
    server.start_again();
    assert_eq!(redis_server::say(port, "GET a"), "$-1\r\n");
    let directory = server.place().directory.clone();
    drop(server);
    assert!(!directory.exists());
    TcpListener::bind(("127.0.0.1", port)).expect("the port is free again");
}

#[test]
fn a_cluster_serves_every_slot_and_names_its_masters() {
    let cluster = redis_server::Cluster::start(3, 0);
    let masters = [0, 8_000, 16_383].map(|slot| cluster.master_of(slot, 0));
    assert!(masters.iter().all(Option::is_some));
    assert!(masters[0] != masters[1] && masters[1] != masters[2]);
}

#[test]
fn sentinels_know_a_master() {
    let watched = redis_server::Watched::start();
    let answer = redis_server::cli(
        watched.sentinels[0].port(),
        &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"],
    );
    assert!(answer.contains(&watched.master.port().to_string()));
}

#[test]
fn a_server_with_tls_shows_a_certificate_of_its_authority() {
    let tls = redis_server::tls();
    assert!(tls.authority.exists());
    assert_eq!(redis_server::say(tls.server.port(), "PING"), "");
}
