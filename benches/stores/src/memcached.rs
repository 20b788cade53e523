//! A hit on memcached beside a bare `mg` of the same bytes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use larder::Cache;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::material::{PREFIX, Page, open, open_store, page, sized, stored};
use crate::measure::{Bench, Case, Place, Subject};
use crate::memcached_server;
use crate::redis::{hits, many_hits};

const SIZES: [usize; 4] = [64, 1_000, 10_000, 500_000];

pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants("memcached") {
        return;
    }
    let server = memcached_server::alone();
    let url = format!("memcached://127.0.0.1:{}?prefix={PREFIX}", server.port());
    for place in [Place::current(), Place::multi()] {
        let caching = url.clone();
        let cache = place.run(async move { open(&caching) });
        for size in SIZES {
            if bench.wants(&format!("memcached.hit.{}.{size}", place.name)) {
                hit(bench, server.port(), &place, &cache, size);
            }
        }
        if bench.wants(&format!("memcached.many.{}", place.name)) {
            many(bench, &place, &cache);
        }
    }
}

fn hit(bench: &mut Bench, port: u16, place: &Place, cache: &Cache, size: usize) {
    let url = format!("memcached://127.0.0.1:{port}");
    let warm = cache.clone();
    let bytes = place.run(async move {
        assert_eq!(page(&warm, size).await, Page::of(size));
        stored(&*open_store(&url), size).await
    });
    let bare = Arc::new(Mutex::new(place.run(Bare::new(port, bytes))));
    let case = Case {
        name: format!("memcached.hit.{}.{size}", place.name),
        about: format!("one task, {}, {} runtime", sized(size), place.name),
    };
    let subjects = vec![
        Subject::new("bare mg", |count| {
            let bare = Arc::clone(&bare);
            place.time(count, move || {
                let bare = Arc::clone(&bare);
                async move {
                    black_box(bare.lock().await.get().await);
                }
            })
        }),
        Subject::new("#[cached]", |count| hits(place, cache, size, count)),
    ];
    let before = cache.stats().loads;
    bench.compare(&case, subjects);
    assert_eq!(cache.stats().loads, before, "all were hits");
}

fn many(bench: &mut Bench, place: &Place, cache: &Cache) {
    let case = Case {
        name: format!("memcached.many.{}", place.name),
        about: format!("64 tasks, {}, {} runtime", sized(1_000), place.name),
    };
    let work = |count| many_hits(place, cache, 1_000, count);
    bench.compare(&case, vec![Subject::new("#[cached]", work)]);
}

/// A client that only sends `mg` and reads as many bytes as come: no queue, no other asker, no time limit.
struct Bare {
    stream: TcpStream,
    answer: usize,
}

impl Bare {
    async fn new(port: u16, body: Vec<u8>) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("tcp");
        stream.set_nodelay(true).expect("tcp");
        let set = format!("ms bare {}\r\n", body.len());
        let set = [set.as_bytes(), &body, b"\r\n"].concat();
        stream.write_all(&set).await.expect("a set");
        let mut done = [0; 4];
        stream.read_exact(&mut done).await.expect("an answer");
        assert_eq!(&done, b"HD\r\n");
        let head = format!("VA {} c1 f0 t-1\r\n", body.len());
        Self {
            stream,
            answer: head.len() + body.len() + 2,
        }
    }

    async fn get(&mut self) -> Vec<u8> {
        let stream = &mut self.stream;
        stream.write_all(b"mg bare v c f t\r\n").await.expect("mg");
        let mut answer = Vec::with_capacity(self.answer + 16);
        // The number after `c` may be longer than reckoned, and never shorter.
        while answer.len() < self.answer || !answer.ends_with(b"\r\n") {
            let count = stream.read_buf(&mut answer).await.expect("an answer");
            assert!(count > 0, "the server hung up");
        }
        answer
    }
}

/// How long one thing takes that is done so often.
pub(crate) fn timed(count: u32, mut once: impl FnMut()) -> Duration {
    let start = std::time::Instant::now();
    for _ in 0..count {
        once();
    }
    start.elapsed()
}
