//! Without a call nobody knows what is in the option.

use larder::bloom;

#[bloom(capacity = 1_000, false_positives = "1%", unchecked)]
fn user(id: u64) -> Option<String> {
    Some(id.to_string())
}

fn main() {}
