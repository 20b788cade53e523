use larder::invalidates;

#[invalidates]
fn rename(id: u64) {
    let _ = id;
}

fn main() {}
