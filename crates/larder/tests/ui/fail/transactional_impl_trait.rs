//! What is committed after it has to have a type that can be named.

use larder::transactional;

#[transactional]
fn book(seat: u64) -> impl Iterator<Item = u64> {
    std::iter::once(seat)
}

fn main() {}
