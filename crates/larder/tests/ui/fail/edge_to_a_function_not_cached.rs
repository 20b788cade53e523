use larder::invalidates;

fn user(id: u64) -> u64 {
    id
}

#[invalidates(user(id = id))]
fn rename(id: u64) {
    user(id);
}

fn main() {}
