use larder::invalidates;

#[invalidates(all)]
fn rename(id: u64) -> impl Iterator<Item = u64> {
    std::iter::once(id)
}

fn main() {}
