//! What the user calls things does not meet what the attributes call theirs.

#![allow(dead_code, non_camel_case_types, unused_macros)]

use larder::{Refused, background, cached, invalidates, rate_limit, transactional};

// Names of the standard prelude that expanded code must not rely on.
struct Box;
struct Vec;
struct Option;
struct Some;
struct None;
trait Clone {}
trait Drop {}
trait ToOwned {}
mod core {}
mod std {}
macro_rules! concat {
    () => {};
}
macro_rules! assert {
    () => {};
}

#[cached(key = "a:{cache}:{key}:{value}:{mode}:{__cache}:{own}", ttl = "10m", stale = "1h", tags = ["{plan}", "b:{buf}"])]
fn arguments(
    cache: u64,
    key: &str,
    value: String,
    mode: &u64,
    __cache: u64,
    own: &u64,
    plan: u64,
    buf: u64,
) -> u64 {
    let _ = (key, value);
    cache + mode + __cache + own + plan + buf
}

#[invalidates(arguments(cache = 1, key = "k", value = ::std::string::String::new(), mode = 2, __cache = 3, own = 4))]
fn change(targets: u64, result: u64) -> u64 {
    targets + result
}

// Names of constants that expanded code has of its own.
const BEAT: &str = "30s";
const KNOBS: &str = "1m";
const LIMIT: u64 = 10;
const SITE: &str = "10m";

#[background(key = "rates", every = BEAT)]
async fn rates() -> u64 {
    1
}

#[rate_limit(limit = LIMIT, per = KNOBS, key = "limited")]
fn limited() -> ::core::result::Result<u64, Refused> {
    Ok(1)
}

#[transactional(mode = "locked", timeout = KNOBS)]
fn together() -> ::core::result::Result<u64, ::larder::Error> {
    Ok(1)
}

#[cached(key = "constants", ttl = SITE, stale = BEAT)]
fn constants() -> u64 {
    1
}

struct Service;

impl Service {
    #[cached(key = "s:{args}:{this}", ttl = "10m")]
    fn arguments(&self, args: u64, this: u64, key: &str) -> u64 {
        args + this + key.len() as u64
    }
}

fn main() {
    let call = || arguments(1, "k", ::std::string::String::new(), &2, 3, &4, 5, 6);
    if call() != 21 || call() != 21 || change(1, 2) != 3 || Service.arguments(1, 2, "k") != 4 {
        panic!();
    }
}
