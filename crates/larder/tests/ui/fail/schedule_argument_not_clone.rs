use larder::background;

struct Connection;

#[background(key = "rates", every = "30s")]
async fn rates(connection: Connection) -> u64 {
    let _ = connection;
    7
}

fn main() {}
