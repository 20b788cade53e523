//! Two processes and one filter, on a real Redis and in a database file.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use larder::{Cache, bloom};

use crate::redis_server;

#[bloom(cache = cache, capacity = 10_000, false_positives = "1%", key = "{id}", filter = "users")]
fn exists(cache: &Cache, id: u64) -> bool {
    let _ = (cache, id);
    true
}

#[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}", pair, filter = "even")]
fn is_even(cache: &Cache, asked: &mut bool, id: u64) -> bool {
    let _ = cache;
    *asked = true;
    id.is_multiple_of(2)
}

const URL: &str = "LARDER_TEST_BLOOM";

/// Another process: this test binary, playing the part of `child`.
struct Other {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Other {
    fn start(url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["processes::child", "--exact", "--nocapture"])
            .env(URL, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            orders: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn order(&mut self, order: &str) -> String {
        self.tell(order);
        self.hear()
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.answers.read_line(&mut line).unwrap(),
                0,
                "it has ended"
            );
            // The test harness says other things too.
            if let Some((_, said)) = line.split_once("@@ ") {
                return said.trim().to_owned();
            }
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn open(url: &str) -> Cache {
    Cache::builder().url(url).unwrap().build().unwrap()
}

/// Played by the process that the other tests start; by itself it does nothing.
#[test]
fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let cache = open(&url);
    for order in std::io::stdin().lines().map_while(Result::ok) {
        let (what, id) = order.split_once(' ').unwrap();
        let id: u64 = id.parse().unwrap();
        let said = match what {
            "add" => exists::add(&cache, id).unwrap(),
            "many" => exists::add_many(&cache, 0..id).is_ok(),
            "ready" => exists::ready(&cache).is_ok(),
            "reset" => exists::reset(&cache).unwrap(),
            "exists" => exists(&cache, id),
            "knows" => {
                let mut asked = false;
                is_even(&cache, &mut asked, id);
                !asked
            }
            _ => panic!("{order}"),
        };
        println!("@@ {said}");
    }
}

#[test]
fn what_one_process_adds_another_knows() {
    let server = redis_server::alone();
    let url = format!(
        "redis://{}/?prefix=app:&timeout=30s&connect_timeout=20s",
        server.address()
    );
    let cache = open(&url);
    let mut other = Other::start(&url);
    assert!(exists(&cache, 1), "not ready");
    assert_eq!(other.order("exists 1"), "true");
    assert_eq!(other.order("many 5000"), "true");
    assert_eq!(other.order("ready 0"), "true");
    for id in 0..5_000 {
        assert!(exists(&cache, id));
    }
    let strangers = (5_000..10_000).filter(|id| exists(&cache, *id)).count();
    assert!(strangers <= 50, "{strangers} of 5000 are taken for others");
    assert!(exists::add(&cache, 7_777_777).unwrap());
    assert_eq!(other.order("add 7777777"), "false");
    assert_eq!(other.order("exists 7777777"), "true");
    assert_eq!(other.order("reset 0"), "true");
    assert!(exists(&cache, 8_888_888), "not ready any more");
    let left = redis_server::cli(server.port(), &["DBSIZE"]);
    assert_eq!(left.trim(), "0", "one row, and it is gone");
}

#[test]
fn what_one_process_learns_another_answers() {
    let server = redis_server::alone();
    let url = format!("redis://{}", server.address());
    let cache = open(&url);
    let mut other = Other::start(&url);
    for id in 0..50 {
        let mut asked = false;
        assert_eq!(is_even(&cache, &mut asked, id), id % 2 == 0);
        assert_eq!(other.order(&format!("knows {id}")), "true");
    }
    assert_eq!(other.order("knows 50"), "false");
    let mut asked = false;
    assert!(is_even(&cache, &mut asked, 50));
    assert!(!asked);
}

#[test]
fn processes_that_fill_at_once_lose_nothing() {
    let server = redis_server::alone();
    let url = format!("redis://{}", server.address());
    let cache = open(&url);
    let mut others = [Other::start(&url), Other::start(&url)];
    for other in &mut others {
        other.tell("many 3000");
    }
    exists::add_many(&cache, 3_000..6_000).unwrap();
    exists::ready(&cache).unwrap();
    for mut other in others {
        assert_eq!(other.hear(), "true");
        assert_eq!(other.order("exists 1"), "true");
    }
    for id in 0..6_000 {
        assert!(exists(&cache, id), "{id} was lost");
    }
}

#[test]
fn a_redis_that_has_lost_the_filter_lets_calls_through() {
    let server = redis_server::alone();
    let url = format!("redis://{}", server.address());
    let cache = open(&url);
    exists::add(&cache, 1).unwrap();
    exists::ready(&cache).unwrap();
    assert!(!exists(&cache, 2));
    redis_server::cli(server.port(), &["FLUSHALL"]);
    assert!(exists(&cache, 2));
    exists::add(&cache, 1).unwrap();
    assert!(exists(&cache, 2));
}

#[test]
fn a_redis_that_takes_no_writes_answers_what_a_filter_says() {
    let server = redis_server::alone();
    let cache = open(&format!("redis://{}", server.address()));
    exists::add(&cache, 1).unwrap();
    exists::ready(&cache).unwrap();
    redis_server::cli(server.port(), &["CONFIG", "SET", "maxmemory", "1"]);
    assert!(exists::add(&cache, 2).is_err(), "it takes no writes");
    assert!(exists(&cache, 1));
    assert!(!exists(&cache, 3), "and says so");
}

#[test]
fn asking_is_one_round_trip_and_so_is_adding_a_thousand() {
    let server = redis_server::alone();
    let cache = open(&format!("redis://{}", server.address()));
    let calls = |command: &str| {
        let told = redis_server::cli(server.port(), &["INFO", "commandstats"]);
        let line = format!("cmdstat_{command}:calls=");
        let told = told
            .lines()
            .find_map(|told| told.strip_prefix(&*line)?.split(',').next()?.parse().ok());
        told.unwrap_or(0_u64)
    };
    let since = |before: (u64, u64)| (calls("bitfield_ro") - before.0, calls("evalsha") - before.1);
    // The script becomes known, and how full the filter is has been looked at.
    exists::add_many(&cache, 0..1_000).unwrap();
    exists::ready(&cache).unwrap();
    let begun = since((0, 0));
    exists::add_many(&cache, 0..1_000).unwrap();
    assert_eq!(since(begun), (0, 1), "adding a thousand");
    assert!(exists(&cache, 1));
    assert!(!exists(&cache, 9_999_999));
    assert_eq!(since(begun), (2, 1), "asking twice");
    let mut asked = false;
    is_even(&cache, &mut asked, 1);
    assert_eq!(since(begun), (3, 2), "a pair asks and learns");
    is_even(&cache, &mut asked, 1);
    assert_eq!(since(begun), (4, 2), "a pair answers");
}

#[cfg(feature = "sqlite")]
#[test]
fn processes_share_a_filter_in_a_database_file() {
    let directory = crate::servers::new_directory();
    let url = format!(
        "sqlite://{}?timeout=30s&busy_timeout=20s",
        directory.join("bits.db").display()
    );
    let cache = open(&url);
    let mut others = [Other::start(&url), Other::start(&url)];
    for other in &mut others {
        other.tell("many 2000");
    }
    exists::add_many(&cache, 2_000..4_000).unwrap();
    let [mut one, mut two] = others;
    for other in [&mut one, &mut two] {
        assert_eq!(other.hear(), "true");
        assert_eq!(other.order("exists 9999999"), "true", "not ready");
    }
    assert_eq!(one.order("ready 0"), "true");
    for id in 0..4_000 {
        assert!(exists(&cache, id), "{id} was lost");
    }
    let strangers = (4_000..8_000).filter(|id| exists(&cache, *id)).count();
    assert!(strangers <= 40, "{strangers} of 4000 are taken for others");
    assert_eq!(two.order("exists 9999999"), "false");
    assert!(exists::add(&cache, 9_999_999).unwrap());
    assert_eq!(two.order("exists 9999999"), "true");
    one.child.kill().unwrap();
    assert!(exists(&cache, 1));
    assert_eq!(two.order("reset 0"), "true");
    assert!(exists(&cache, 8_888_888), "not ready any more");
    drop(two);
    std::fs::remove_dir_all(directory).unwrap();
}
