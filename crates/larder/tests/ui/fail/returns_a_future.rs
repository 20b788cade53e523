use larder::cached;

#[cached(ttl = "10m")]
fn user(id: u64) -> impl Future<Output = u64> {
    async move { id }
}

fn main() {}
