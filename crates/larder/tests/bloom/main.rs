//! Bloom filters: no call for what is certainly not there.

#![cfg(feature = "macros")]

#[cfg(feature = "redis")]
#[path = "../servers/redis.rs"]
mod redis_server;
#[cfg(feature = "redis")]
#[path = "../servers/mod.rs"]
mod servers;
#[path = "../shelf/mod.rs"]
mod shelf;
#[path = "../support/mod.rs"]
mod support;

mod answering;
mod asking;
mod filling;
mod losing;
mod outages;
mod pairs;
mod placing;
#[cfg(feature = "redis")]
mod processes;
