//! `s3://` against an S3 server.
#![cfg(feature = "s3")]

#[path = "store_object/conforms.rs"]
mod conforms;
#[path = "servers/front.rs"]
mod front;
#[path = "store_object/requests.rs"]
mod requests;
#[path = "servers/s3.rs"]
mod s3;
#[path = "servers/mod.rs"]
mod servers;
#[path = "store_object/suite.rs"]
mod suite;

use std::sync::Arc;

use larder::store::{LeaseLevel, Removal};
use s3::S3;
use suite::Bed;

fn bed() -> (Arc<S3>, Bed) {
    let server = Arc::new(S3::start());
    let own = Arc::clone(&server);
    (server, Bed::new(move |more| own.url("team/cache", more)))
}

macro_rules! holds {
    ($($name:ident)*) => { $(
        #[tokio::test]
        async fn $name() {
            let (_server, bed) = bed();
            suite::$name(&bed).await;
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
    let (_server, bed) = bed();
    suite::a_value_that_was_invalidated_meanwhile_is_never_stored(&bed, 60).await;
}

#[tokio::test]
async fn the_conformance_suite_passes() {
    let (_server, bed) = bed();
    conforms::conforms(&bed).await;
}

#[test]
fn futures_may_be_polled_anywhere() {
    let (_server, bed) = bed();
    suite::futures_may_be_polled_anywhere(&bed);
}

#[tokio::test]
async fn operations_cost_what_they_say() {
    let (server, bed) = bed();
    requests::operations_cost_what_they_say(&bed, &server.front, &["POST", "POST"]).await;
}

#[tokio::test]
async fn faults_are_errors_and_pass() {
    let (server, bed) = bed();
    requests::faults_are_errors_and_pass(&bed, &server.front).await;
}

#[tokio::test]
async fn others_delay_and_do_not_fail() {
    let (server, bed) = bed();
    requests::others_delay_and_do_not_fail(&bed, &server.front).await;
}

#[tokio::test]
async fn nothing_is_done_twice() {
    let (server, bed) = bed();
    requests::nothing_is_done_twice(&bed, &server.front).await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable() {
    let (server, bed) = bed();
    let store = bed.open_with("&conditional=1&timeout=20s");
    store.ping().await.unwrap();
    drop(bed);
    drop(server);
    requests::a_server_that_is_gone_is_unavailable(&*store).await;
}

#[tokio::test]
async fn a_missing_bucket_is_named_as_such() {
    let server = S3::start();
    let store = suite::open(&server.url_of("nobody", "p", "&conditional=1"), "").unwrap();
    let error = store.ping().await.unwrap_err();
    assert_eq!(error.kind(), larder::ErrorKind::Store);
    assert!(error.to_string().contains("no such bucket"), "{error}");
}

#[tokio::test]
async fn another_language_reads_an_entry_without_a_head() {
    let (server, bed) = bed();
    let store = bed.open();
    suite::write(&*store, "user:7", br#"{"id":7}"#).await;
    let file = std::fs::read(server.file("team/cache/e/user:7")).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(value["id"], 7);
}

#[tokio::test]
async fn what_others_put_there_is_nothing_and_can_be_replaced() {
    let (server, bed) = bed();
    let store = bed.open();
    for (at, foreign) in [&b""[..], b"{}", b"\xC1LO\x01\x01\0\0\0", &[0xC1; 100]]
        .iter()
        .enumerate()
    {
        let key = format!("foreign{at}");
        suite::write(&*store, &key, b"1").await;
        std::fs::write(server.file(&format!("team/cache/e/{key}")), foreign).unwrap();
        assert_eq!(suite::bytes(&*store, &key).await, None, "{foreign:?}");
        suite::write(&*store, &key, b"2").await;
        assert_eq!(suite::bytes(&*store, &key).await, Some(b"2".to_vec()));
    }
}

#[tokio::test]
async fn leases_of_a_server_without_conditional_writes_hold_in_this_process() {
    let (_server, bed) = bed();
    let store = bed.open_with("&conditional=0");
    assert_eq!(store.lease_level(), LeaseLevel::Process);
    for removal in [Removal::Keys(&["k"]), Removal::Prefix("")] {
        let token = suite::lease(&*store, "k").await;
        store.remove(&removal).await.unwrap();
        assert!(!suite::fill(&*store, "k", b"1", &token).await);
        let token = suite::lease(&*store, "k").await;
        assert!(suite::fill(&*store, "k", b"1", &token).await);
    }
    let token = suite::lease(&*store, "k").await;
    suite::write(&*store, "k", b"2").await;
    assert!(!suite::fill(&*store, "k", b"1", &token).await);
    let error = store
        .counters()
        .unwrap()
        .add("n", 1, None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), larder::ErrorKind::Unsupported);
}

#[tokio::test]
async fn whether_conditional_writes_are_honoured_is_tried() {
    let (server, bed) = bed();
    let store = bed.open();
    assert_eq!(
        store.lease_level(),
        LeaseLevel::Process,
        "until it is known"
    );
    suite::lease(&*store, "k").await;
    assert_eq!(store.lease_level(), LeaseLevel::Versioned);
    // A server that takes the condition for granted.
    let other = S3::unsigned();
    other.front.ignore_conditions();
    let store = suite::open(&other.url("p", "&anonymous=1"), "").unwrap();
    suite::lease(&*store, "k").await;
    assert_eq!(store.lease_level(), LeaseLevel::Process);
    // One that refuses the header.
    server.front.fail(front::Fault::Conditions(501), u32::MAX);
    let store = bed.open();
    suite::lease(&*store, "k").await;
    assert_eq!(store.lease_level(), LeaseLevel::Process);
}

#[test]
fn secrets_are_not_shown_and_mistakes_are_told() {
    let (server, bed) = bed();
    let shown = format!("{:?}", bed.open());
    assert!(
        !shown.contains("secret") && shown.contains("s3://bucket/team/cache"),
        "{shown}"
    );
    let url = |more: &str| {
        suite::open(&server.url("p", more), "")
            .unwrap_err()
            .to_string()
    };
    assert!(url("&regoin=x").contains("region"), "{}", url("&regoin=x"));
    assert!(url("&secret_key=x").contains("secret_key_env"));
    assert!(url("&max=5gb").contains("max"));
    assert!(url("&name_limit=7").contains("name_limit"));
    let plain = suite::open("s3://bucket?endpoint=http://h", "").unwrap_err();
    assert!(plain.to_string().contains("allow_http=1"), "{plain}");
    assert!(suite::open("s3://", "").is_err());
}
