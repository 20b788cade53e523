//! What a guard stands before needs a return type with a name.

use larder::rate_limit;

#[rate_limit(limit = 10, per = "1m")]
fn rows() -> impl Iterator<Item = u64> {
    0..3
}

fn main() {}
