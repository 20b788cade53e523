//! `gs://` against our own likeness of Google's XML API: see `servers/gcs.rs` for what that proves.
#![cfg(feature = "gcs")]

#[path = "store_object/conforms.rs"]
mod conforms;
#[path = "servers/front.rs"]
mod front;
#[path = "servers/gcs.rs"]
mod gcs;
#[path = "store_object/requests.rs"]
mod requests;
#[path = "store_object/suite.rs"]
mod suite;

use std::sync::Arc;

use gcs::Gcs;
use suite::Bed;

fn bed() -> (Arc<Gcs>, Bed) {
    let server = Arc::new(Gcs::start());
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
    suite::a_value_that_was_invalidated_meanwhile_is_never_stored(&bed, 100).await;
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
    requests::operations_cost_what_they_say(&bed, &server.front, &["DELETE", "DELETE DELETE"])
        .await;
}

#[tokio::test]
async fn faults_are_errors_and_pass() {
    let (server, bed) = bed();
    requests::faults_are_errors_and_pass(&bed, &server.front).await;
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
async fn what_is_over_is_swept() {
    use larder::store::{Address, Opening, object::Objects};
    let (server, bed) = bed();
    let store = bed.open();
    let life = Some(std::time::Duration::from_millis(1));
    suite::write_if(
        &*store,
        "brief",
        b"1",
        life,
        larder::store::Condition::Always,
    )
    .await;
    suite::write(&*store, "long", b"1").await;
    suite::lease(&*store, "leased").await;
    server.put("team/cache/e/foreign", b"theirs");
    let runtime: Arc<dyn larder::runtime::Runtime> =
        Arc::new(larder::runtime::SystemRuntime::new());
    let mut address = Address::parse(&server.url("team/cache", "")).unwrap();
    let mut opening = Opening {
        address: &mut address,
        prefix: "",
        runtime: &runtime,
    };
    let objects = Objects::open(&mut opening).unwrap();
    assert_eq!(
        objects.sweep().await.unwrap(),
        0,
        "what was written just now stays"
    );
    server.end("team/cache/e/brief");
    server.age(std::time::Duration::from_secs(3_600));
    assert_eq!(objects.sweep().await.unwrap(), 1);
    let left = ["foreign", "leased", "long"].map(|name| format!("team/cache/e/{name}"));
    assert_eq!(server.names(), left);
}
