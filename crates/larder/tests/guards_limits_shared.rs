//! Limits that processes share over real stores, and what becomes of them when the store does not answer.

#![cfg(all(feature = "macros", feature = "redis", feature = "sqlite"))]

#[path = "servers/wire.rs"]
mod proxy;
#[path = "servers/redis.rs"]
mod redis_server;
#[path = "servers/mod.rs"]
mod servers;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larder::guard::{Outage, RateLimit, Window};
use larder::{Cache, Event, Reason, Refused, rate_limit};
use proxy::Proxy;
use servers::{eventually, new_directory};

const LIMIT: u64 = 60;
const WINDOWS: [Window; 3] = [Window::Fixed, Window::Sliding, Window::Gcra];

#[rate_limit(cache = cache, limit = LIMIT, per = "1h", window = window, key = "shared")]
fn spend(cache: &Cache, window: Window) -> Result<(), Refused> {
    let _ = (cache, window);
    Ok(())
}

#[rate_limit(cache = cache, limit = LIMIT, per = "1h", window = window, key = "shared")]
async fn spend_async(cache: &Cache, window: Window) -> Result<(), Refused> {
    let _ = (cache, window);
    Ok(())
}

fn cache(url: &str) -> Cache {
    Cache::builder().url(url).unwrap().build().unwrap()
}

/// Played by the processes that other tests start; by itself it does nothing.
#[test]
fn child() {
    let (Ok(role), Ok(url)) = (
        std::env::var("LARDER_TEST_ROLE"),
        std::env::var("LARDER_TEST_STORE"),
    ) else {
        return;
    };
    let cache = cache(&url);
    println!("@@ ready");
    drop(std::io::stdin().read(&mut [0]));
    let passed = match &*role {
        "sync" => WINDOWS.map(|window| spend_all(&cache, window)),
        "async" => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                let mut passed = [0; 3];
                for (passed, window) in passed.iter_mut().zip(WINDOWS) {
                    for _ in 0..LIMIT {
                        *passed += u64::from(spend_async(&cache, window).await.is_ok());
                    }
                }
                passed
            }),
        other => panic!("no role `{other}`"),
    };
    println!("@@ {} {} {}", passed[0], passed[1], passed[2]);
}

/// More than fit, from threads without a runtime.
fn spend_all(cache: &Cache, window: Window) -> u64 {
    let passed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..LIMIT / 2 {
                    let spent = spend(cache, window).is_ok();
                    passed.fetch_add(u64::from(spent), Ordering::Relaxed);
                }
            });
        }
    });
    passed.into_inner()
}

struct Process(Child, BufReader<ChildStdout>);

impl Process {
    fn start(role: &str, url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env("LARDER_TEST_ROLE", role)
            .env("LARDER_TEST_STORE", url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self(child, out);
        assert_eq!(process.hear(), "ready");
        process
    }

    /// What it says next; its end says nothing.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        while self.1.read_line(&mut line).unwrap() > 0 {
            if let Some((_, said)) = line.split_once("@@ ") {
                return said.trim().to_owned();
            }
            line.clear();
        }
        panic!("the other process says nothing");
    }

    fn go(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"!").unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn two_processes_share(url: &str) {
    let mut processes = ["sync", "async"].map(|role| Process::start(role, url));
    processes.iter_mut().for_each(Process::go);
    let mut sums = [0; 3];
    for process in &mut processes {
        let said = process.hear();
        let passed = said.split(' ').map(|n| n.parse::<u64>().unwrap());
        sums.iter_mut().zip(passed).for_each(|(sum, n)| *sum += n);
    }
    assert_eq!(sums, [LIMIT; 3], "of {WINDOWS:?}, over {url}");
    // A third one finds nothing left.
    let cache = cache(url);
    for window in WINDOWS {
        let refused = spend(&cache, window).unwrap_err();
        assert_eq!(refused.reason(), Reason::Limited, "{refused}");
    }
}

#[test]
fn two_processes_share_a_limit_over_redis_exactly() {
    let server = redis_server::alone();
    two_processes_share(&format!("redis://{}/0?timeout=10s", server.address()));
}

#[test]
fn two_processes_share_a_limit_over_sqlite_exactly() {
    let directory = new_directory();
    let file = directory.join("limits.db");
    two_processes_share(&format!(
        "sqlite://{}?timeout=30s&busy_timeout=20s",
        file.display()
    ));
    drop(std::fs::remove_dir_all(directory));
}

#[cfg(feature = "file")]
#[test]
fn two_processes_share_a_limit_over_files_exactly() {
    let directory = new_directory();
    two_processes_share(&format!("file://{}?timeout=30s", directory.display()));
    drop(std::fs::remove_dir_all(directory));
}

#[test]
fn a_ban_by_one_process_keeps_the_key_out_of_all() {
    let server = redis_server::alone();
    let url = format!("redis://{}/0?timeout=10s", server.address());
    let (one, other) = (cache(&url), cache(&url));
    for window in WINDOWS {
        let key = format!("{window:?}");
        let limit = RateLimit::new(1, "10m").ban("1h").window(window);
        let ask = |cache: &Cache| cache.guard(&limit, &*key, || async { Ok(()) }).wait();
        assert!(ask(&one).is_ok());
        let refused: Refused = ask(&one).unwrap_err();
        assert_eq!(refused.reason(), Reason::Banned);
        let refused = ask(&other).unwrap_err();
        assert_eq!(refused.reason(), Reason::Banned);
        let left = refused.comes_back().unwrap();
        let hour = Duration::from_secs(3_600);
        assert!(left <= hour && left > hour / 2, "{left:?}");
    }
}

/// Counts and bans of a moment.
fn use_up(cache: &Cache) {
    for window in WINDOWS {
        let limit = RateLimit::new(1, "20ms").ban("20ms").window(window);
        for _ in 0..3 {
            let call = cache.guard(&limit, "k", || async { Ok::<_, Refused>(()) });
            drop(call.wait());
        }
    }
}

#[test]
fn what_has_run_out_leaves_nothing_in_redis() {
    let server = redis_server::alone();
    use_up(&cache(&format!(
        "redis://{}/0?timeout=10s",
        server.address()
    )));
    let left = || redis_server::cli(server.port(), &["DBSIZE"]);
    eventually("all records are gone", || left().trim() == "0");
}

#[test]
fn what_has_run_out_leaves_nothing_in_sqlite() {
    let directory = new_directory();
    let file = directory.join("limits.db");
    let url = format!("sqlite://{}?timeout=30s&sweep=20ms", file.display());
    let cache = cache(&url);
    use_up(&cache);
    let bare = rusqlite::Connection::open(&file).unwrap();
    let left = || {
        let count = "SELECT (SELECT count(*) FROM span) + (SELECT count(*) FROM admission)";
        bare.query_row(count, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    eventually("all rows are gone", || left() == 0);
    drop((bare, cache));
    drop(std::fs::remove_dir_all(directory));
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_redis_is_one_round_trip() {
    let server = redis_server::alone();
    let wire = Proxy::before(server.port());
    let cache = cache(&format!("redis://127.0.0.1:{}/0?timeout=10s", wire.port()));
    for window in WINDOWS {
        let limit = RateLimit::new(2, "1h").ban("1h").window(window);
        let key = format!("{window:?}");
        let ask = || async {
            cache
                .guard(&limit, &*key, || async { Ok::<_, Refused>(()) })
                .await
        };
        // The first call connects and makes the script known.
        assert!(ask().await.is_ok());
        for admitted in [true, false, false] {
            let before = wire.round_trips();
            assert_eq!(ask().await.is_ok(), admitted);
            assert_eq!(wire.round_trips() - before, 1, "{window:?} {admitted}");
        }
    }
}

/// What is told of guards that could not ask.
fn watched(url: &str) -> (Cache, Arc<Mutex<Vec<Outage>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let observer = move |event: &Event<'_>| {
        if let Event::GuardFailed { guard, outage, .. } = event {
            assert_eq!(*guard, "rate_limit");
            tell.lock().unwrap().push(*outage);
        }
    };
    let builder = Cache::builder().url(url).unwrap();
    (builder.observer(observer).build().unwrap(), told)
}

fn answers_as_it_is_told(cache: &Cache, told: &Mutex<Vec<Outage>>, key: &str) {
    let limit = RateLimit::new(1, "1h");
    for outage in [Outage::Open, Outage::Closed] {
        let limit = limit.on_outage(outage);
        let began = Instant::now();
        let call = cache.guard(&limit, key, || async { Ok::<_, Refused>(()) });
        let answered = call.wait();
        // The limit is 300 ms; the rest is for a busy machine.
        assert!(began.elapsed() < Duration::from_secs(5));
        match outage {
            Outage::Open => assert!(answered.is_ok(), "{answered:?}"),
            Outage::Closed => {
                assert_eq!(answered.unwrap_err().reason(), Reason::Unavailable);
            }
        }
        assert_eq!(std::mem::take(&mut *told.lock().unwrap()), [outage]);
    }
}

#[test]
fn a_redis_that_hangs_or_is_gone_costs_its_time_limit_and_an_event() {
    let mut server = redis_server::alone();
    let url = format!("redis://{}/0?timeout=300ms&probe=100ms", server.address());
    let (cache, told) = watched(&url);
    let limit = RateLimit::new(1, "1h").on_outage(Outage::Closed);
    let ask = |key: &str| {
        let call = cache.guard(&limit, key, || async { Ok::<_, Refused>(()) });
        call.wait().map_err(|refused| refused.reason())
    };
    eventually("the store is reached", || ask("before").is_ok());
    told.lock().unwrap().clear();
    server.stop();
    answers_as_it_is_told(&cache, &told, "hangs");
    server.resume();
    eventually("it counts again", || ask("before") == Err(Reason::Limited));
    server.kill();
    told.lock().unwrap().clear();
    answers_as_it_is_told(&cache, &told, "gone");
    server.start_again();
    // Under another key each time: a call may be counted whose answer comes too late.
    let mut tries = 0;
    eventually("it counts again", || {
        tries += 1;
        let key = format!("after {tries}");
        ask(&key).is_ok() && ask(&key) == Err(Reason::Limited)
    });
}

#[test]
fn a_store_that_cannot_count_is_a_mistake_and_no_outage() {
    // Nothing is asked of it, so it need not be there.
    let Ok(builder) = Cache::builder().url("memcached://127.0.0.1:1") else {
        return;
    };
    let cache = builder.build().unwrap();
    let limit = RateLimit::new(1, "1h");
    let call = cache.guard(&limit, "k", || async { Ok::<_, Refused>(()) });
    let refused = call.wait().unwrap_err();
    assert_eq!(refused.reason(), Reason::Misconfigured);
    assert!(refused.to_string().contains("`cache = ..`"), "{refused}");
}
