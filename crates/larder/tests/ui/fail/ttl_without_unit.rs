use larder::cached;

#[cached(ttl = "600")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
