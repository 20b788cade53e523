use std::collections::HashMap;

#[larder::cached_batch(key = "kind:{type}", ttl = "10m")]
fn kinds(types: &[u8]) -> HashMap<u8, u8> {
    types.iter().map(|kind| (*kind, *kind)).collect()
}

fn main() {
    kinds(&[1]);
}
