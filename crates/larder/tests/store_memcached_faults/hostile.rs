//! Servers that are none.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use larder::ErrorKind;
use larder::store::Store;

use crate::ask::{Asked, builder, hasty};

/// Accepts, greets as memcached does if `greets`, and answers whatever comes with `said`. Gives its port and how many connections there were.
fn liar(greets: bool, said: Vec<u8>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let said = said.clone();
            std::thread::spawn(move || lie(stream, greets, &said));
        }
    });
    (port, count)
}

fn lie(mut stream: TcpStream, mut greets: bool, said: &[u8]) {
    let mut buffer = [0; 4_096];
    while let Ok(1..) = stream.read(&mut buffer) {
        let answer = if greets { b"MN\r\n" } else { said };
        greets = false;
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn garbage_is_an_error_and_the_connection_is_replaced() {
    let long = vec![b'x'; 10_000];
    let number = b"HD c1 f1 O18446744073709551615\r\n".to_vec();
    let many = b"EN\r\n".repeat(50);
    for (greets, said) in [
        (false, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        (false, long.clone()),
        (true, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        (true, b"VA 99999999999999999999 c1\r\n".to_vec()),
        (true, b"VA 4294967296 c1\r\n".to_vec()),
        (true, b"VA 3 c1 f0 t1\r\nabcdefgh\r\n".to_vec()),
        (true, b"\x00\xff\xfe\r\n".to_vec()),
        (true, b"ERROR\r\n".to_vec()),
        (true, number),
        (true, many),
        (true, long),
    ] {
        let (port, connections) = liar(greets, said.clone());
        let store = hasty(port).build().unwrap();
        let shown = String::from_utf8_lossy(&said[..said.len().min(40)]).into_owned();
        let begun = Instant::now();
        let wrong = store.value("a").await.unwrap_err();
        assert!(
            matches!(wrong.kind(), ErrorKind::Store | ErrorKind::Unavailable),
            "{shown}: {wrong:?}"
        );
        assert!(wrong.to_string().len() < 600, "{shown}");
        crate::ask::until("another connection", async || {
            assert!(store.lease("a").await.is_err(), "{shown}");
            connections.load(Ordering::SeqCst) > 1
        })
        .await;
        assert!(begun.elapsed() < Duration::from_secs(30), "{shown}");
    }
}

#[tokio::test]
async fn a_server_before_the_meta_protocol_is_told_of() {
    let (port, _) = liar(false, b"ERROR\r\n".to_vec());
    let store = builder(port).build().unwrap();
    let refused = store.ping().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Store);
    assert!(refused.to_string().contains("1.6"), "{refused}");
}

#[tokio::test]
async fn a_server_that_lies_all_the_time_is_not_asked_all_the_time() {
    let (port, connections) = liar(true, b"nonsense\r\n".to_vec());
    let store = hasty(port).build().unwrap();
    let begun = Instant::now();
    let mut asked = 0;
    while begun.elapsed() < Duration::from_millis(500) {
        assert!(store.value("a").await.is_err());
        asked += 1;
    }
    let made = connections.load(Ordering::SeqCst);
    assert!(
        made < 10 && asked > 10,
        "{made} connections, {asked} questions"
    );
}
