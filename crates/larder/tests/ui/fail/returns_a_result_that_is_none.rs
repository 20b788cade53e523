use larder::cached;

#[derive(Clone)]
struct QueryResult;

#[cached(ttl = "10m")]
fn query(id: u64) -> QueryResult {
    let _ = id;
    QueryResult
}

fn main() {}
