//! What memcached does not take, and what is written wrong in an address.

use larder::ErrorKind;
use larder::store::memcached::Memcached;
use larder::store::{Condition, Removal, Secret, Store};

use crate::ask::{Asked, builder, open};
use crate::memcached_server::{self, say};
use crate::servers::text;

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_and_leaves_no_older_one() {
    // Once the client knows the limit, once the server is stricter than it.
    let server = memcached_server::with(&["-I", "512k", "-o", "slab_chunk_max=256"]);
    for limit in [512 * 1024, 1024 * 1024] {
        let store = builder(server.port()).item_limit(limit).build().unwrap();
        let large = vec![7; 800_000];
        store.put("a", b"before").await.unwrap();
        let refused = store.put("a", &large).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Encode, "{refused}");
        assert!(refused.to_string().contains("item_limit"), "{refused}");
        assert_eq!(store.value("a").await.unwrap(), None);

        store.put("a", b"before").await.unwrap();
        let lease = store.lease("a").await.unwrap();
        let refused = store.fill_one("a", &large, &lease).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Encode, "{refused}");
        assert_eq!(store.value("a").await.unwrap(), None);

        store.put("a", b"before").await.unwrap();
        let refused = store.put_if("a", &large, Condition::Present).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Encode);
        assert_eq!(store.value("a").await.unwrap(), None);
        let refused = store.put_if("a", &large, Condition::Absent).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Encode);
        store.put("a", b"after").await.unwrap();
        assert_eq!(store.value("a").await.unwrap().unwrap(), b"after");
    }
}

#[tokio::test]
async fn with_a_larger_limit_larger_values_are_kept() {
    let server = memcached_server::with(&["-I", "8m"]);
    let store = builder(server.port())
        .item_limit(8 * 1024 * 1024)
        .build()
        .unwrap();
    let large: Vec<u8> = (0..7_000_000_u32).map(|n| (n % 251) as u8).collect();
    store.put("a", &large).await.unwrap();
    assert!(store.value("a").await.unwrap().unwrap() == large);
}

#[tokio::test]
async fn what_cannot_be_done_says_so_and_what_to_do_instead() {
    let server = memcached_server::alone();
    let store = builder(server.port()).build().unwrap();
    let pattern = Removal::Pattern {
        prefix: "",
        pattern: "*",
    };
    let refused = store.remove(&pattern).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let said = refused.to_string();
    assert!(said.contains("memcached") && said.contains("tag"), "{said}");
    let long = "x".repeat(1_025);
    let refused = store.remove(&Removal::Prefix(&long)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(store.windows().is_none() && store.invalidations().is_none());
}

#[tokio::test]
async fn more_prefixes_than_are_told_apart_remove_everything() {
    let server = memcached_server::alone();
    let store = builder(server.port()).build().unwrap();
    store.put("kept", b"1").await.unwrap();
    for number in 0..256 {
        let prefix = format!("p{number:03}:");
        store.remove(&Removal::Prefix(&prefix)).await.unwrap();
    }
    assert!(store.value("kept").await.unwrap().is_some());
    store.remove(&Removal::Prefix("one more")).await.unwrap();
    assert!(store.value("kept").await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_without_versions_is_told_of() {
    let server = memcached_server::with(&["-C"]);
    let store = builder(server.port()).build().unwrap();
    let refused = store.lease("a").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Store);
    assert!(refused.to_string().contains("-C"), "{refused}");
}

#[tokio::test]
async fn who_logs_in_is_let_in() {
    let server = memcached_server::with_login("ann", "s3cret");
    let port = server.port();
    let right = open(&format!("memcached://ann:s3cret@127.0.0.1:{port}")).unwrap();
    right.put("a", b"1").await.unwrap();
    assert_eq!(right.value("a").await.unwrap().unwrap(), b"1");
    let wrong = open(&format!("memcached://ann:guessed@127.0.0.1:{port}")).unwrap();
    let refused = wrong.put("a", b"1").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Store);
    let said = format!("{refused:?} {refused} {wrong:?}");
    assert!(
        !said.contains("guessed") && said.contains("password"),
        "{said}"
    );
    let nobody = open(&format!("memcached://127.0.0.1:{port}")).unwrap();
    assert!(nobody.put("a", b"1").await.is_err());
    let debug = format!("{:?}", builder(port).login("ann", Secret::new("s3cret")));
    assert!(!debug.contains("s3cret"), "{debug}");
}

#[tokio::test]
async fn tls_is_refused_without_the_right_authority() {
    let server = memcached_server::with_tls(&[]);
    let other = memcached_server::with_tls(&[]);
    let port = server.port();
    let ca = |of: &crate::servers::Server| text(&of.place().directory.join("ca.pem"));
    let url = |ca: &str| format!("memcacheds://127.0.0.1:{port}?ca_file={ca}");
    let right = open(&url(&ca(&server))).unwrap();
    right.put("a", b"1").await.unwrap();
    assert_eq!(right.value("a").await.unwrap().unwrap(), b"1");
    let wrong = open(&url(&ca(&other))).unwrap();
    let refused = wrong.value("a").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("certificate"), "{refused}");
    let missing = open(&url("/nowhere.pem")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Config);
}

#[test]
fn addresses_that_are_wrong_say_how_to_mend_them() {
    for (url, hint) in [
        ("memcached://", "memcached://localhost"),
        ("memcached://a,a:11211", "named twice"),
        ("memcached://a,b?weights=1", "`2,1`"),
        ("memcached://a?weights=0", "weight 0"),
        ("memcached://a/3", "no databases"),
        ("memcached://a?item_limits=2mb", "item_limit"),
        ("memcached://ann@a", "password"),
        ("memcached://a?ca_file=x", "parameter"),
        ("memcacheds://a?cert_file=x", "go together"),
    ] {
        let refused = open(url).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config, "{url}");
        assert!(refused.to_string().contains(hint), "{url}: {refused}");
    }
    let blank = Memcached::builder().server("a", 1);
    let refused = blank.login("a", Secret::new("b c")).build().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn foreign_items_are_nothing() {
    let server = memcached_server::alone();
    let port = server.port();
    let store = builder(port).build().unwrap();
    store.put("a", b"ours").await.unwrap();
    let named = |kind: &str| {
        let mut found = None;
        // The server lists what it can lock at that moment.
        crate::servers::eventually("the item is listed", || {
            let names = memcached_server::names(port);
            found = names.into_iter().find(|name| name.starts_with(kind));
            found.is_some()
        });
        found.unwrap()
    };
    let (entry, generations) = (named("ld:e:"), named("ld:g:"));
    say(port, &format!("set {entry} 0 0 5\r\nalien"));
    assert_eq!(store.value("a").await.unwrap(), None);
    let lease = store.lease("a").await.unwrap();
    assert!(store.fill_one("a", b"again", &lease).await.unwrap());
    assert_eq!(store.value("a").await.unwrap().unwrap(), b"again");
    // A broken record of generations is a new name space.
    say(port, &format!("set {generations} 0 0 5\r\nalien"));
    assert_eq!(store.value("a").await.unwrap(), None);
    store.put("a", b"anew").await.unwrap();
    assert_eq!(store.value("a").await.unwrap().unwrap(), b"anew");
}
