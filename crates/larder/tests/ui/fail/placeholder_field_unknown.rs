use larder::cached;

struct User {
    id: u64,
}

#[cached(key = "user:{user.idd}", ttl = "10m")]
fn name(user: &User) -> u64 {
    user.id
}

fn main() {}
