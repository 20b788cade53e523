//! The handle of a free function: the same arguments, and all that can be done with the entry.

#![cfg(feature = "macros")]

use std::cell::Cell;

use larder::cached;

thread_local! {
    static RUNS: Cell<u32> = const { Cell::new(0) };
}

fn runs() -> u32 {
    RUNS.take()
}

mod users {
    use super::{RUNS, cached};

    #[cached(key = "user:{org}:{id}", ttl = "10m", tags = ["org:{org}"], ttl_with = |name| if name.is_empty() { "1m" } else { "1h" })]
    pub(crate) async fn user(org: &str, id: u64) -> Result<String, String> {
        RUNS.set(RUNS.get() + 1);
        if org.is_empty() {
            return Err("nobody".to_owned());
        }
        Ok(format!("{org}{id}"))
    }
}

use users::user;

#[tokio::test]
async fn the_handle_of_an_async_function() -> larder::Result<()> {
    assert_eq!(user::key("handle", 7), "user:handle:7");
    assert_eq!(user::peek("handle", 7).await?, None);
    assert_eq!(user("handle", 7).await.as_deref(), Ok("handle7"));
    assert_eq!(user::peek("handle", 7).await?.as_deref(), Some("handle7"));
    assert_eq!(user::uncached("handle", 7).await.as_deref(), Ok("handle7"));
    assert_eq!(user::refresh("handle", 7).await.as_deref(), Ok("handle7"));
    assert_eq!(runs(), 3);
    let explain = user::explain("handle", 7).await?;
    assert_eq!(
        (explain.next, explain.entry.unwrap().tags),
        (larder::Next::Hit, vec!["org:handle".into()])
    );
    assert!(user::invalidate("handle", 7).await?);
    assert!(!user::invalidate("handle", 7).await?);
    user("handle", 7).await.unwrap();
    assert_eq!(runs(), 1);
    Ok(())
}

#[tokio::test]
async fn put_keeps_a_value_under_the_knobs_of_the_function() -> larder::Result<()> {
    user::put("put", 7, "given".to_owned()).await?;
    assert_eq!(user("put", 7).await.as_deref(), Ok("given"));
    let entry = user::explain("put", 7).await?.entry.unwrap();
    assert_eq!(entry.tags, ["org:put"]);
    assert!(entry.deadlines.keep_until.since(entry.now).as_secs() > 3000);
    larder::cache().delete_tags(["org:put"]).await?;
    assert_eq!(user("put", 7).await.as_deref(), Ok("put7"));
    assert_eq!(runs(), 1);
    Ok(())
}

#[tokio::test]
async fn a_refresh_that_fails_keeps_what_there_is() -> larder::Result<()> {
    user::put("", 7, "kept".to_owned()).await?;
    let _ = user::refresh("", 7).await;
    assert_eq!(user("", 7).await.as_deref(), Ok("kept"));
    Ok(())
}

#[test]
fn the_handle_of_a_sync_function() -> larder::Result<()> {
    #[cached(ttl = "10m")]
    fn sum(numbers: &[u64], name: String) -> u64 {
        RUNS.set(RUNS.get() + 1);
        numbers.iter().sum::<u64>() + name.len() as u64
    }
    let name = || "ab".to_owned();
    assert_eq!(
        sum::key(&[1, 2], name()),
        "attributes_handles::the_handle_of_a_sync_function::sum([1u64,2u64],\"ab\")"
    );
    assert_eq!(sum(&[1, 2], name()), 5);
    assert_eq!(sum::peek(&[1, 2], name())?, Some(5));
    sum::put(&[1, 2], name(), 17)?;
    assert_eq!(sum(&[1, 2], name()), 17);
    assert_eq!(
        (
            sum::uncached(&[1, 2], name()),
            sum::refresh(&[1, 2], name())
        ),
        (5, 5)
    );
    assert_eq!(sum(&[1, 2], name()), 5);
    assert!(sum::explain(&[1, 2], name())?.entry.is_some());
    assert!(sum::invalidate(&[1, 2], name())?);
    let stats = sum::stats();
    assert_eq!((stats.hits(), stats.misses), (2, 1));
    assert_eq!(stats.function, "attributes_handles::sum");
    Ok(())
}

#[test]
fn an_uncached_call_does_not_touch_the_cache() {
    #[cached(key = "untouched:{id}", ttl = "10m")]
    fn user(id: u64) -> u64 {
        id
    }
    user::uncached(7);
    assert_eq!(user::peek(7).unwrap(), None);
}

#[test]
fn the_versions_of_a_function_do_not_meet() {
    #[cached(key = "versioned:{id}", ttl = "10m", version = 2)]
    fn user(id: u64) -> u64 {
        id
    }
    assert_eq!(user::key(7), "v2:versioned:7");
}
