//! Locks and circuits that several processes share, in a real Redis and a real SQLite, with processes that are killed and a server that hangs.

#![cfg(all(feature = "macros", feature = "redis", feature = "sqlite"))]

mod disk;
#[path = "servers/redis.rs"]
mod redis_server;
mod servers;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use disk::Directory;
use disk::child::{Process, say};
use larder::guard::{CircuitBreaker, CircuitState, fence};
use larder::{Cache, Reason, Refused, circuit_breaker, locked};
use servers::Server;

/// How many calls each process makes.
const CALLS: usize = 25;

fn cache(url: &str) -> Cache {
    Cache::builder().url(url).unwrap().build().unwrap()
}

/// Stands in for what must not be done twice at once: the operating system says whether another process is here.
fn alone(directory: &Path) {
    let marker = directory.join("inside");
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&marker);
    created.expect("another body is in the lock");
    let mut log = OpenOptions::new()
        .append(true)
        .create(true)
        .open(directory.join("log"))
        .unwrap();
    writeln!(log, "{}", fence().expect("a number")).unwrap();
    std::fs::remove_file(marker).unwrap();
}

#[locked(cache = cache, ttl = "5s", wait = "1m", key = "job", on_outage = "closed")]
fn job(cache: &Cache, directory: &Path) -> Result<(), Refused> {
    let _ = cache;
    alone(directory);
    Ok(())
}

#[locked(cache = cache, ttl = "5s", wait = "1m", key = "job", on_outage = "closed")]
async fn job_async(cache: &Cache, directory: &Path) -> Result<(), Refused> {
    let _ = cache;
    tokio::task::yield_now().await;
    alone(directory);
    Ok(())
}

/// Holds the lock until its process is told to go on, or killed.
#[locked(cache = cache, ttl = "3s", deadline = "1h", key = "held")]
fn hold(cache: &Cache) -> Result<u64, Refused> {
    let _ = cache;
    say(&format!("holding {}", fence().unwrap()));
    std::io::stdin().read_line(&mut String::new()).unwrap();
    Ok(fence().unwrap())
}

#[locked(cache = cache, ttl = "3s", wait = "7s", key = "held")]
async fn take(cache: &Cache) -> Result<u64, Refused> {
    let _ = cache;
    Ok(fence().unwrap())
}

#[derive(Debug)]
enum Oops {
    Refused(Refused),
    Down,
}

impl From<Refused> for Oops {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

#[circuit_breaker(cache = cache, errors = "50%", per = "5m", open_for = "10s", half_open = 1, min_calls = 4, key = "mail", shared)]
fn send(cache: &Cache, act: impl FnOnce() -> Result<(), Oops>) -> Result<(), Oops> {
    let _ = cache;
    act()
}

fn sent(result: Result<(), Oops>) -> String {
    match result {
        Ok(()) => "sent".to_owned(),
        Err(Oops::Down) => "down".to_owned(),
        Err(Oops::Refused(refused)) => format!("{:?}", refused.reason()),
    }
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
    match role.split_once(' ') {
        Some(("contend", directory)) => {
            let directory = Path::new(directory);
            (0..CALLS).for_each(|_| job(&cache, directory).unwrap());
            disk::run(async {
                for _ in 0..CALLS {
                    job_async(&cache, directory).await.unwrap();
                }
            });
        }
        Some(("hold", _)) => drop(hold(&cache).unwrap()),
        Some(("send", _)) => {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                let act = || match line.as_str() {
                    "fail" => Err(Oops::Down),
                    _ => Ok(()),
                };
                let result = sent(send(&cache, act));
                say(&format!(
                    "{result} {}",
                    CircuitBreaker::state(&cache, "mail")
                ));
            }
        }
        _ => panic!("no role `{role}`"),
    }
}

/// A store for some processes: where it is, and what keeps it.
struct Shared {
    url: String,
    directory: Directory,
    _server: Option<Server>,
}

fn stores() -> [Shared; 2] {
    let directory = Directory::new();
    let sqlite = Shared {
        url: format!(
            "sqlite://{}?timeout=30s&busy_timeout=20s",
            directory.join("a.db").display()
        ),
        directory,
        _server: None,
    };
    let server = redis_server::alone();
    let redis = Shared {
        url: format!(
            "redis://{}/0?timeout=30s&connect_timeout=20s",
            server.address()
        ),
        directory: Directory::new(),
        _server: Some(server),
    };
    [redis, sqlite]
}

#[test]
fn never_are_two_processes_in_one_lock_and_its_numbers_grow() {
    for store in stores() {
        let role = format!("contend {}", store.directory.path().display());
        let others = [(); 3].map(|()| Process::start(&role, &store.url));
        others.into_iter().for_each(Process::end);
        let log = std::fs::read_to_string(store.directory.join("log")).unwrap();
        let fences: Vec<u64> = log.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(fences.len(), 3 * 2 * CALLS, "{}", store.url);
        assert!(fences.is_sorted_by(|a, b| a < b), "{fences:?}");
    }
}

#[test]
fn a_lock_is_renewed_while_its_process_lives_and_ends_after_it_was_killed() {
    for store in stores() {
        let mut other = Process::start("hold it", &store.url);
        let said = other.hear();
        let held: u64 = said.strip_prefix("holding ").unwrap().parse().unwrap();
        let cache = cache(&store.url);
        disk::run(async {
            // Twice its time has passed meanwhile, with a body that blocks its thread.
            let refused = take(&cache).await.unwrap_err();
            assert_eq!(refused.reason(), Reason::Locked);
            assert!(
                refused
                    .comes_back()
                    .is_some_and(|left| left <= Duration::from_secs(3))
            );
            other.kill();
            let fence = take(&cache).await.expect("it has ended by itself");
            assert!(fence > held, "{fence} after {held}");
        });
    }
}

#[test]
fn a_circuit_that_one_process_opens_is_open_for_the_other_and_closes_for_both() {
    for store in stores() {
        let others = [(); 2].map(|()| Process::start("send it", &store.url));
        let [one, two] = &others;
        for process in [one, two, one] {
            assert_eq!(process.order("fail"), "down closed");
        }
        assert_eq!(two.order("fail"), "down open", "{}", store.url);
        for process in [one, two] {
            assert_eq!(process.order("send"), "Open open");
        }
        // The one tries a call, and meanwhile the other may not.
        let cache = cache(&store.url);
        disk::until("a call that is tried", || {
            let tries = || {
                assert_eq!(one.order("send"), "Open half-open");
                assert_eq!(two.order("send"), "Open half-open");
                Ok(())
            };
            send(&cache, tries).is_ok()
        });
        assert_eq!(CircuitBreaker::state(&cache, "mail"), CircuitState::Closed);
        for process in [one, two] {
            assert_eq!(process.order("send"), "sent closed", "{}", store.url);
        }
        others.into_iter().for_each(Process::end);
    }
}

#[test]
fn a_server_that_hangs_while_a_lock_is_held_costs_a_bounded_time() {
    #[locked(cache = cache, ttl = "1s", key = "job", on_outage = "closed")]
    async fn wait_for_ever(cache: &Cache, server: &Server) -> Result<(), Refused> {
        let _ = cache;
        server.stop();
        std::future::pending().await
    }

    #[locked(cache = cache, ttl = "1s", key = "other")]
    fn come_back(cache: &Cache, server: &Server) -> Result<u64, Refused> {
        let _ = cache;
        server.stop();
        Ok(fence().unwrap())
    }

    #[locked(cache = cache, ttl = "1s", wait = "10s", key = "job", on_outage = "closed")]
    async fn again(cache: &Cache) -> Result<u64, Refused> {
        let _ = cache;
        Ok(fence().unwrap())
    }

    let server = redis_server::alone();
    let cache = cache(&format!("redis://{}/0?timeout=1s", server.address()));
    let began = Instant::now();
    let refused = disk::run(wait_for_ever(&cache, &server)).unwrap_err();
    assert_eq!(refused.reason(), Reason::Unavailable);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    server.resume();
    disk::until("a server that answers again", || {
        disk::run(again(&cache)).is_ok()
    });
    let began = Instant::now();
    assert!(
        come_back(&cache, &server).is_ok(),
        "the body has its own answer"
    );
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    server.resume();
}
