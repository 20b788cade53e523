use larder::cached;

use std::borrow::Cow;

#[cached(ttl = "10m")]
fn clean<'a>(text: &'a str) -> Result<Cow<'a, str>, String> {
    Ok(text.into())
}

fn main() {}
