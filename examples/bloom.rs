//! A Bloom filter before a look-up: what does not exist costs no query.

use std::sync::atomic::{AtomicU32, Ordering};

use larder::{bloom, cached};

static QUERIES: AtomicU32 = AtomicU32::new(0);

const TAKEN: [&str; 3] = ["ada", "grace", "alan"];

#[bloom(capacity = 10_000, false_positives = "1%", key = "{name}")]
fn is_taken(name: &str) -> bool {
    QUERIES.fetch_add(1, Ordering::Relaxed);
    TAKEN.contains(&name)
}

/// The same before a cached function: its handle fills the filter.
#[cached(key = "user:{name}", ttl = "10m")]
#[bloom(capacity = 10_000, false_positives = "1%", key = "{name}")]
async fn user(name: &str) -> Option<String> {
    QUERIES.fetch_add(1, Ordering::Relaxed);
    TAKEN.contains(&name).then(|| format!("user {name}"))
}

fn queries() -> u32 {
    QUERIES.swap(0, Ordering::Relaxed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> larder::Result<()> {
    is_taken::add("ada")?;
    assert!(is_taken("grace"));
    println!(
        "not ready yet:         {} query for a name that was not added",
        queries()
    );

    is_taken::add_many(TAKEN)?;
    is_taken::ready()?;
    assert!(is_taken("grace"));
    println!("grace is taken:        {} query, to be sure", queries());

    let free = (0..10_000)
        .filter(|n| !is_taken(&format!("name{n}")))
        .count();
    let asked = queries();
    println!("{free} free names:      {asked} queries, for those that look like others");
    assert_eq!(free, 10_000);
    assert!(asked < 100);

    user::add_many(TAKEN).await?;
    user::ready().await?;
    assert_eq!(user("ada").await.as_deref(), Some("user ada"));
    assert_eq!(user("nobody").await, None);
    assert_eq!(user("ada").await.as_deref(), Some("user ada"));
    println!("under a cache:         {} query for three calls", queries());
    println!(
        "answered without one:  {}",
        larder::cache().stats().ruled_out
    );
    Ok(())
}
