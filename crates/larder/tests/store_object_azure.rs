//! `az://` against Azurite.
#![cfg(feature = "azure")]

#[path = "servers/azurite.rs"]
mod azurite;
#[path = "store_object/conforms.rs"]
mod conforms;
#[path = "servers/mod.rs"]
mod servers;
#[path = "store_object/suite.rs"]
mod suite;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use std::time::{Duration, Instant};

use azurite::Azurite;
use larder::store::Ask;
use suite::Bed;

/// It takes a second to start: one for all tests, each below a prefix of its own.
static SERVER: LazyLock<Azurite> = LazyLock::new(Azurite::start);

fn bed() -> Bed {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("team/{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    Bed::new(move |more| SERVER.url(&prefix, more))
}

macro_rules! holds {
    ($($name:ident)*) => { $(
        #[tokio::test]
        async fn $name() {
            suite::$name(&bed()).await;
        }
    )* };
}

holds! {
    any_key_and_any_bytes_come_back
    a_lease_is_lost_by_whatever_changes_its_key
    a_lease_is_shared_and_ends_by_itself
    an_entry_past_its_time_gives_a_lease
    conditions_and_lives
    removals_remove_what_is_meant
    tags_forget
    counters_count
    locks_lock
}

#[tokio::test]
async fn a_value_that_was_invalidated_meanwhile_is_never_stored() {
    suite::a_value_that_was_invalidated_meanwhile_is_never_stored(&bed(), 60).await;
}

#[tokio::test]
async fn the_conformance_suite_passes() {
    conforms::conforms(&bed()).await;
}

#[test]
fn futures_may_be_polled_anywhere() {
    suite::futures_may_be_polled_anywhere(&bed());
}

#[tokio::test]
async fn a_missing_container_is_named_as_such() {
    let store = suite::open(&SERVER.url_of("nobody", "p", ""), "").unwrap();
    let error = store.ping().await.unwrap_err();
    assert_eq!(error.kind(), larder::ErrorKind::Store);
    assert!(
        error.to_string().contains("no such bucket or container"),
        "{error}"
    );
}

/// Stopped, killed and started again: errors in time, and afterwards a store as before.
#[tokio::test]
async fn a_server_that_goes_and_comes_back() {
    let mut server = Azurite::start();
    let store = suite::open(&server.url("p", "&timeout=500ms"), "").unwrap();
    let patient = suite::open(&server.url("p", "&timeout=1m"), "").unwrap();
    suite::write(&*patient, "k", b"1").await;
    let limit = Duration::from_secs(10);
    let fails = async || {
        let started = Instant::now();
        let questions = [suite::question("k", Ask::EntryOrLease, &[])];
        let read = store.read(&questions);
        let error = read.await.unwrap_err();
        assert_eq!(error.kind(), larder::ErrorKind::Unavailable, "{error}");
        assert!(started.elapsed() < limit, "{:?}", started.elapsed());
        started.elapsed()
    };
    server.server().stop();
    println!("stopped: {:?}", fails().await);
    server.server().resume();
    assert_eq!(suite::bytes(&*patient, "k").await, Some(b"1".to_vec()));
    server.server().kill();
    println!("killed: {:?}", fails().await);
    server.start_again();
    suite::write(&*patient, "k", b"2").await;
    assert_eq!(suite::bytes(&*patient, "k").await, Some(b"2".to_vec()));
}
