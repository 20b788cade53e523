use larder::cached;

use std::pin::Pin;

#[cached(ttl = "10m")]
fn user(id: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move { id })
}

fn main() {}
