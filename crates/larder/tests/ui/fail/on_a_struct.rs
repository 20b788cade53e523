use larder::cached;

#[cached(ttl = "10m")]
struct Users;

fn main() {}
