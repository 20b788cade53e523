use larder::invalidates;

#[invalidates(keys = ["user:{returned}"])]
fn rename(returned: u64) {
    let _ = returned;
}

fn main() {}
