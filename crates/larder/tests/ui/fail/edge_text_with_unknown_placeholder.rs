use larder::invalidates;

#[invalidates(prefix = "user:{idd}:")]
fn rename(id: u64) {
    let _ = id;
}

fn main() {}
