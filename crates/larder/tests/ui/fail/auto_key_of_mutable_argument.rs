use larder::cached;

#[cached(ttl = "10m")]
fn next(numbers: &mut Vec<u64>, id: u64) -> u64 {
    numbers.push(id);
    id
}

fn main() {}
