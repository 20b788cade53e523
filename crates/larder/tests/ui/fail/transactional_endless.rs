//! A transaction has an end.

use larder::{Error, transactional};

#[transactional(timeout = "forever")]
fn book(seat: u64) -> Result<u64, Error> {
    Ok(seat)
}

#[transactional(timeout = "2d")]
fn pay(seat: u64) -> Result<u64, Error> {
    Ok(seat)
}

fn main() {}
