//! Five ways to forget: an edge, a prefix, a pattern, tags, everything.

use larder::{cached, invalidates};

#[cached(key = "user:{org}:{id}", ttl = "10m", tags = ["org:{org}"])]
fn user(org: &str, id: u32) -> String {
    format!("user {id} of {org}")
}

#[cached(key = "page:{org}:{n}", ttl = "10m", tags = ["org:{org}"])]
fn page(org: &str, n: u32) -> String {
    format!("page {n} of {org}")
}

#[invalidates(user(org = org, id = id), prefix = "page:{org}:")]
fn rename(org: &str, id: u32, name: &str) -> Result<String, String> {
    match name {
        "" => Err(format!("user {id} of {org} needs a name")),
        name => Ok(name.to_owned()),
    }
}

#[invalidates(pattern = "*:{org}:[2-9]")]
fn trim(org: &str) -> usize {
    org.len()
}

#[invalidates(tags = ["org:{org}"])]
fn close(org: &str) -> usize {
    org.len()
}

#[invalidates(all)]
fn restart() {}

/// Fills the cache, does something, and shows what is left of it.
fn after<T>(what: &str, act: impl FnOnce() -> T, expected: &str) -> larder::Result<()> {
    for (org, n) in [("acme", 1), ("acme", 2), ("zeus", 1)] {
        user(org, n);
        page(org, n);
    }
    act();
    let mut left = larder::cache().blocking().scan("*")?;
    left.sort();
    println!("{what:<26}{}", left.join("  "));
    assert_eq!(left.join(" "), expected);
    Ok(())
}

fn main() -> larder::Result<()> {
    let all = "page:acme:1 page:acme:2 page:zeus:1 user:acme:1 user:acme:2 user:zeus:1";
    after("at first", || (), all)?;
    after(
        "rename(\"acme\", 1, \"Ada\")",
        || rename("acme", 1, "Ada"),
        "page:zeus:1 user:acme:2 user:zeus:1",
    )?;
    after("the same, but it fails", || rename("acme", 1, ""), all)?;
    after(
        "trim(\"acme\")",
        || trim("acme"),
        "page:acme:1 page:zeus:1 user:acme:1 user:zeus:1",
    )?;
    after(
        "close(\"acme\")",
        || close("acme"),
        "page:zeus:1 user:zeus:1",
    )?;
    after("restart()", restart, "")
}
