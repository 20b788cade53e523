use std::cell::Cell;

use larder::cached;

struct Users {
    next: Cell<u64>,
}

impl Users {
    #[cached(key = "user:{id}", ttl = "10m")]
    fn user(&self, id: u64) -> u64 {
        id + self.next.get()
    }
}

fn main() {}
