//! A sync body cannot be dropped, so it must be able to outlive the call.

use larder::cached;

#[cached(key = "user:{id}", ttl = "10m", hard_timeout = "5s")]
fn user(connection: &mut String, id: u64) -> std::io::Result<String> {
    connection.push('x');
    Ok(id.to_string())
}

fn main() {
    let _ = user(&mut String::new(), 7);
}
