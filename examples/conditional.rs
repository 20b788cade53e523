//! An origin that answers "not modified": the entry is renewed, and its body is not sent again.

use std::sync::atomic::{AtomicU32, Ordering};

use larder::{Loaded, cached, kept};

static VERSION: AtomicU32 = AtomicU32::new(1);
static BYTES: AtomicU32 = AtomicU32::new(0);

/// An origin as HTTP has them: 304 for who knows the current version already.
fn origin(if_none_match: Option<&str>) -> Option<(String, String)> {
    let version = VERSION.load(Ordering::Relaxed);
    let etag = format!("\"v{version}\"");
    if if_none_match == Some(&etag) {
        return None;
    }
    let body = format!("the price list, version {version}");
    BYTES.fetch_add(body.len() as u32, Ordering::Relaxed);
    Some((body, etag))
}

// Each call asks the origin, and what is kept is there for it.
#[cached(key = "prices", ttl = "1d", failover)]
fn prices() -> Result<Loaded<String>, std::io::Error> {
    let kept = kept::<String>();
    let answer = origin(kept.as_ref().and_then(|kept| kept.validator()));
    Ok(match (answer, kept) {
        (None, Some(kept)) => kept.not_modified(),
        (None, None) => return Err(std::io::Error::other("304 for nobody")),
        (Some((body, etag)), _) => Loaded::new(body).validator(etag),
    })
}

fn main() {
    for _ in 0..3 {
        let prices = prices().expect("the origin answers");
        assert_eq!(*prices, "the price list, version 1");
        assert_eq!(prices.validated_by(), Some("\"v1\""));
    }
    let sent = BYTES.load(Ordering::Relaxed);
    println!("three answers, {sent} bytes sent");
    assert_eq!((prices::stats().not_modified, sent), (2, 25));

    VERSION.store(2, Ordering::Relaxed);
    let prices = prices().expect("the origin answers");
    println!("then {}", *prices);
    assert_eq!(prices.into_value(), "the price list, version 2");
    assert_eq!(prices::stats().not_modified, 2);
}
