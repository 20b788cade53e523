use larder::invalidates;

#[invalidates(prefx = "user:")]
fn rename(id: u64) {
    let _ = id;
}

fn main() {}
