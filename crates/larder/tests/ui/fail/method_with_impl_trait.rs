use larder::cached;

struct Users;

impl Users {
    #[cached(key = "show:{value}", ttl = "10m")]
    fn show(&self, value: impl std::fmt::Display) -> String {
        value.to_string()
    }
}

fn main() {}
