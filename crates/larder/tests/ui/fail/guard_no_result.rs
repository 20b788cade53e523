//! A function that cannot fail cannot tell of a refusal.

use larder::rate_limit;

#[rate_limit(limit = 10, per = "1m")]
fn square(n: u64) -> u64 {
    n * n
}

fn main() {}
