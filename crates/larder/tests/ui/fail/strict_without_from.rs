use larder::cached;

#[derive(Clone, Debug)]
struct DbError;

#[cached(ttl = "10m", strict)]
async fn size(path: String) -> Result<u64, DbError> {
    u64::try_from(path.len()).map_err(|_| DbError)
}

fn main() {}
