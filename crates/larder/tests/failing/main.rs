//! Cached functions while what keeps their values is down, slow, mad or gone: they give the right value in time, and use the store again by themselves once it is back.
//!
//! The bound of every call: what its source takes, one time limit for the read, one for the fill, and [`SLACK`](node::SLACK) for a busy machine.

#![cfg(all(
    feature = "redis",
    feature = "memcached",
    feature = "sqlite",
    feature = "file",
    feature = "azure"
))]

mod azure;
mod blocking;
mod disks;
mod invalidation;
mod node;
mod origin;
mod outage;
mod subject;
mod told;
mod weather;
mod wire;

#[path = "../servers/azurite.rs"]
mod azurite;
#[path = "../servers/memcached.rs"]
mod memcached_server;
#[path = "../servers/redis.rs"]
mod redis_server;
#[path = "../servers/mod.rs"]
mod servers;
