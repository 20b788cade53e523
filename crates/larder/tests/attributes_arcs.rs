//! Values behind an `Arc`: shared, whichever way the entry is met.

#![cfg(feature = "macros")]

use std::path::Path;
use std::sync::Arc;

use larder::cached;

#[derive(Debug, PartialEq)]
struct User {
    name: String,
}

#[cached(key = "arc-user:{id}", ttl = "10m")]
fn user(id: u64) -> Result<Arc<User>, String> {
    let name = format!("user {id}");
    Ok(Arc::new(User { name }))
}

#[cached(key = "arc-plain:{id}", ttl = "10m", tags = ["plain"])]
async fn plain(id: u64) -> Arc<u64> {
    Arc::new(id)
}

#[cached(key = "arc-str:{id}", ttl = "10m")]
fn text(id: u64) -> Arc<str> {
    id.to_string().into()
}

#[cached(key = "arc-path:{id}", ttl = "10m")]
fn path(id: u64) -> std::io::Result<Arc<Path>> {
    Ok(Path::new(&id.to_string()).into())
}

#[cached(key = "arc-dyn:{id}", ttl = "10m")]
fn shown(id: u64) -> Arc<dyn std::fmt::Display + Send + Sync> {
    Arc::new(id)
}

#[test]
fn a_hit_shares_the_value_of_the_load() {
    let loaded = user(1).expect("the source does not fail");
    assert!(Arc::ptr_eq(
        &loaded,
        &user(1).expect("the source does not fail")
    ));
    let peeked = user::peek(1)
        .expect("the cache is open")
        .expect("it is kept");
    assert!(Arc::ptr_eq(&loaded, &peeked));
}

#[tokio::test]
async fn direct_reads_and_writes_meet_the_same_values() {
    let cache = larder::cache();
    let loaded = plain(2).await;
    let read: Arc<u64> = cache
        .get("arc-plain:2")
        .await
        .expect("its type")
        .expect("it is kept");
    assert!(Arc::ptr_eq(&loaded, &read));
    let wrong = cache
        .get::<u64>("arc-plain:2")
        .await
        .expect_err("another type");
    assert_eq!(wrong.kind(), larder::ErrorKind::WrongType);

    let written = Arc::new(7_u64);
    cache
        .set("arc-plain:3", &written)
        .ttl("1m")
        .await
        .expect("a good policy");
    assert!(Arc::ptr_eq(&written, &plain(3).await));
}

#[test]
fn what_has_no_size_is_kept_as_it_is() {
    assert!(Arc::ptr_eq(&text(1), &text(1)));
    let (first, second) = (path(1).expect("no error"), path(1).expect("no error"));
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(shown(1).to_string(), shown(1).to_string());
}

#[tokio::test]
async fn all_who_wait_for_one_load_share_its_value() {
    #[cached(key = "arc-slow:{id}", ttl = "10m")]
    async fn slow(id: u64) -> Arc<User> {
        tokio::task::yield_now().await;
        let name = id.to_string();
        Arc::new(User { name })
    }
    let (a, b) = tokio::join!(slow(1), slow(1));
    assert!(Arc::ptr_eq(&a, &b));
}
