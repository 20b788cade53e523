//! Memcached when it goes wrong: refused, stopped, killed, restarted empty, full, cut, answering garbage.

#![cfg(feature = "memcached")]

#[path = "../servers/memcached.rs"]
mod memcached_server;
#[path = "../servers/proxy.rs"]
mod proxy;
#[path = "../servers/mod.rs"]
mod servers;

mod ask;
mod connection;
mod epoch;
mod eviction;
mod hostile;
mod limits;
mod model;
mod race;
mod trips;
