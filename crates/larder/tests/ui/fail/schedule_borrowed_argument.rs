use std::borrow::Cow;

use larder::background;

#[background(key = "rate:{base}", every = "30s")]
async fn rate(base: Cow<'_, str>) -> u64 {
    base.len() as u64
}

#[background(key = "rate:{base}", every = "30s")]
async fn changed(base: &mut String) -> u64 {
    base.len() as u64
}

fn main() {}
