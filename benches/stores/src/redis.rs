//! A hit on Redis beside the bare client's GET of the same bytes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use larder::{Cache, Codec};

use crate::material::{PREFIX, Page, key, open, page, sized, tagged};
use crate::measure::{Bench, Case, Place, Subject};
use crate::redis_server;

const SIZES: [usize; 3] = [64, 1_000, 10_000];
const TASKS: u32 = 64;

pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants("redis") {
        return;
    }
    let server = redis_server::alone();
    for place in [Place::current(), Place::multi()] {
        for size in SIZES {
            if bench.wants(&format!("redis.hit.{}.{size}", place.name)) {
                hit(bench, server.port(), &place, size);
            }
        }
        if bench.wants(&format!("redis.many.{}", place.name)) {
            many(bench, server.port(), &place);
        }
    }
    if bench.wants("redis.client_side") {
        client_side(bench, server.port());
    }
}

/// The bare client as it is fastest: no time limit, no delay of small packets.
async fn connect(port: u16, limit: Option<Duration>) -> MultiplexedConnection {
    let client = ::redis::Client::open(format!("redis://127.0.0.1:{port}/")).expect("a client");
    let settings = client.get_connection_info().clone();
    let tcp = ::redis::io::tcp::TcpSettings::default().set_nodelay(true);
    let client = ::redis::Client::open(settings.set_tcp_settings(tcp)).expect("a client");
    let config = ::redis::AsyncConnectionConfig::new().set_response_timeout(limit);
    let connection = client.get_multiplexed_async_connection_with_config(&config);
    connection.await.expect("a connection")
}

async fn get(mut bare: MultiplexedConnection, key: &str) -> Vec<u8> {
    let mut cmd = ::redis::cmd("GET");
    cmd.arg(key);
    cmd.query_async(&mut bare).await.expect("an entry")
}

/// A cache on a runtime, with the pages stored.
fn warm(place: &Place, url: String, size: usize) -> Cache {
    place.run(async move {
        let cache = open(&url);
        assert_eq!(page(&cache, size).await, Page::of(size));
        assert_eq!(tagged(&cache, size).await, Page::of(size));
        cache
    })
}

fn hit(bench: &mut Bench, port: u16, place: &Place, size: usize) {
    let url = format!("redis://127.0.0.1:{port}/0?prefix={PREFIX}");
    let cache = warm(place, url, size);
    let full: Arc<str> = format!("{PREFIX}{}", key(size)).into();
    let bare = place.run(connect(port, None));
    let limited = place.run(connect(port, Some(Duration::from_secs(1))));
    let get_by = |connection: &MultiplexedConnection| {
        let (connection, full) = (connection.clone(), Arc::clone(&full));
        move |count| {
            let (connection, full) = (connection.clone(), Arc::clone(&full));
            place.time(count, move || {
                let (connection, full) = (connection.clone(), Arc::clone(&full));
                async move {
                    black_box(get(connection, &full).await);
                }
            })
        }
    };
    let decoded = |count| {
        let (connection, full, codec) = (bare.clone(), Arc::clone(&full), Codec::default());
        place.time(count, move || {
            let (connection, full, codec) = (connection.clone(), Arc::clone(&full), codec.clone());
            async move {
                let bytes = get(connection, &full).await;
                black_box(codec.from_bytes::<Page>(&full, &bytes).expect("a page"));
            }
        })
    };
    let case = Case {
        name: format!("redis.hit.{}.{size}", place.name),
        about: format!("one task, {}, {} runtime", sized(size), place.name),
    };
    let subjects = vec![
        Subject::new("bare GET", get_by(&bare)),
        Subject::new("bare GET with a time limit", get_by(&limited)),
        Subject::new("bare GET, decoded", decoded),
        Subject::new("#[cached]", |count| hits(place, &cache, size, count)),
        Subject::new("cache.get", |count| gets(place, &cache, size, count)),
        Subject::new("bare MGET of entry and tag", |count| {
            mget(place, &bare, &full, count)
        }),
        Subject::new("#[cached] with a tag", |count| {
            tags(place, &cache, size, count)
        }),
    ];
    let before = cache.stats().loads;
    bench.compare(&case, subjects);
    assert_eq!(cache.stats().loads, before, "all were hits");
}

pub(crate) fn hits(place: &Place, cache: &Cache, size: usize, count: u32) -> Duration {
    let cache = cache.clone();
    place.time(count, move || {
        let cache = cache.clone();
        async move {
            black_box(page(&cache, size).await);
        }
    })
}

fn tags(place: &Place, cache: &Cache, size: usize, count: u32) -> Duration {
    let cache = cache.clone();
    place.time(count, move || {
        let cache = cache.clone();
        async move {
            black_box(tagged(&cache, size).await);
        }
    })
}

fn gets(place: &Place, cache: &Cache, size: usize, count: u32) -> Duration {
    let (cache, key): (_, Arc<str>) = (cache.clone(), key(size).into());
    place.time(count, move || {
        let (cache, key) = (cache.clone(), Arc::clone(&key));
        async move {
            let page: Option<Page> = cache.get(&*key).await.expect("an answer");
            assert!(black_box(page).is_some());
        }
    })
}

fn mget(place: &Place, bare: &MultiplexedConnection, full: &Arc<str>, count: u32) -> Duration {
    let (connection, full) = (bare.clone(), Arc::clone(full));
    place.time(count, move || {
        let (mut connection, full) = (connection.clone(), Arc::clone(&full));
        async move {
            let mut cmd = ::redis::cmd("MGET");
            cmd.arg(&*full).arg("a tag");
            let both: (Vec<u8>, Option<Vec<u8>>) =
                cmd.query_async(&mut connection).await.expect("an entry");
            black_box(both);
        }
    })
}

/// Throughput of many tasks on one connection, each with a key of its own: those who ask for one key at once would share an answer.
fn many(bench: &mut Bench, port: u16, place: &Place) {
    const SIZE: usize = 1_000;
    let url = format!("redis://127.0.0.1:{port}/0?prefix={PREFIX}");
    let cache = warm(place, url, SIZE);
    let all = cache.clone();
    place.run(async move {
        for task in 0..TASKS as usize {
            page(&all, SIZE + task).await;
        }
    });
    let bare = place.run(connect(port, None));
    let case = Case {
        name: format!("redis.many.{}", place.name),
        about: format!("{TASKS} tasks, {}, {} runtime", sized(SIZE), place.name),
    };
    let subjects = vec![
        Subject::new("bare GET", |count| {
            let bare = bare.clone();
            place.time_many(TASKS, count, move |task| {
                let (bare, full) = (bare.clone(), format!("{PREFIX}{}", key(SIZE + task)));
                async move {
                    black_box(get(bare, &full).await);
                }
            })
        }),
        Subject::new("#[cached]", |count| many_hits(place, &cache, SIZE, count)),
        Subject::new("cache.get", |count| {
            let cache = cache.clone();
            place.time_many(TASKS, count, move |task| {
                let (cache, key) = (cache.clone(), key(SIZE + task));
                async move {
                    let page: Option<Page> = cache.get(&key).await.expect("an answer");
                    assert!(black_box(page).is_some());
                }
            })
        }),
    ];
    bench.compare(&case, subjects);
}

/// Hits by many tasks.
pub(crate) fn many_hits(place: &Place, cache: &Cache, size: usize, count: u32) -> Duration {
    let cache = cache.clone();
    place.time_many(TASKS, count, move |task| {
        let cache = cache.clone();
        async move {
            black_box(page(&cache, size + task).await);
        }
    })
}

/// A local copy that Redis keeps true, beside a value that never left.
fn client_side(bench: &mut Bench, port: u16) {
    let place = Place::current();
    let url = format!("redis://127.0.0.1:{port}/0?prefix={PREFIX}&client_side=1");
    let copied = warm(&place, url, 64);
    place.run({
        let copied = copied.clone();
        async move {
            // It keeps copies from when it hears of changes.
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            while copied.stats().fresh == 0 {
                page(&copied, 64).await;
                tokio::task::yield_now().await;
                assert!(std::time::Instant::now() < deadline, "no copy is kept");
            }
        }
    });
    let memory = warm(&place, format!("memory://?prefix={PREFIX}"), 64);
    let case = Case {
        name: "redis.client_side".to_owned(),
        about: "a hit of the copy beside a hit of memory, 64 B".to_owned(),
    };
    let subjects = vec![
        Subject::new("memory", |count| hits(&place, &memory, 64, count)),
        Subject::new("client_side=1", |count| hits(&place, &copied, 64, count)),
    ];
    let before = copied.stats().store_hits;
    bench.compare(&case, subjects);
    assert_eq!(copied.stats().store_hits, before, "all came from the copy");
}
