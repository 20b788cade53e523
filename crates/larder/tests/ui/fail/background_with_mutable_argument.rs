use larder::cached;

#[cached(key = "next:{id}", ttl = "10m", stale = "1h")]
fn next(numbers: &mut Vec<u64>, id: u64) -> u64 {
    numbers.push(id);
    id
}

fn main() {}
