use larder::cached;

mod keys {
    pub fn slug(text: &str) -> String {
        text.replace(' ', "-")
    }
}

#[cached(key = "user:{id:self::keys::slug}", ttl = "10m")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
