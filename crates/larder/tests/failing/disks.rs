//! Files that are locked, deleted, replaced or out of reach.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::node::{Node, Pair};
use crate::origin::{Origin, fresh};
use crate::servers::new_directory;
use crate::subject::drive;

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        Self(new_directory())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const FILE: &str = "LARDER_TEST_LOCKED_FILE";

/// Another process that holds the write lock of a database, until it is dropped.
struct Holder(Child);

impl Holder {
    fn of(file: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["disks::holds_a_lock", "--exact", "--nocapture"])
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut lines = said.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.ends_with("locked")), "no lock");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A role that another test plays in a process of its own; by itself it does nothing.
#[test]
fn holds_a_lock() {
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let db = rusqlite::Connection::open(file).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    println!("\nlocked");
    // Until the other end is closed.
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn a_database_that_another_process_has_locked_costs_one_limit_then_none() {
    let directory = Directory::new();
    let file = directory.at("a.db");
    drive(async {
        let url = format!("sqlite://{}", file.display());
        let (origin, pair) = (Origin::new(), Pair::new("SQLite", &url));
        let warm = pair.warm(&origin).await;
        let holder = Holder::of(&file);
        // What is there can be read all the time.
        let loads = origin.loads();
        pair.a.call(&origin, warm).await;
        assert_eq!(origin.loads(), loads);
        pair.a.call(&origin, fresh()).await;
        pair.a.fifty(&origin).await;
        pair.a.is_steady(&origin).await;
        drop(holder);
        pair.heals(&origin).await;
    });
}

#[test]
fn a_database_that_is_deleted_or_replaced_is_made_anew() {
    for content in [
        None,
        Some(""),
        Some(
            "this is no database, and it is longer than the head of one would be: one hundred bytes, that is",
        ),
    ] {
        let directory = Directory::new();
        let file = directory.at("a.db");
        drive(async {
            let url = format!("sqlite://{}?on_corrupt=replace", file.display());
            let (origin, pair) = (Origin::new(), Pair::new("SQLite", &url));
            let id = pair.warm(&origin).await;
            for name in ["a.db", "a.db-wal", "a.db-shm"] {
                let _ = fs::remove_file(directory.at(name));
            }
            if let Some(content) = content {
                fs::write(&file, content).unwrap();
            }
            for _ in 0..10 {
                pair.a.call(&origin, id).await;
                pair.b.call(&origin, fresh()).await;
            }
            pair.heals(&origin).await;
            // One that comes later meets those that were there before.
            let late = Pair {
                a: Node::new("late", &url),
                b: pair.a,
            };
            late.heals(&origin).await;
        });
    }
}

/// As a directory of a deployment that is swept away, and a volume that is not there.
#[test]
fn a_directory_that_is_gone_or_is_none_costs_nothing_and_is_used_when_it_is_back() {
    let directory = Directory::new();
    let place = directory.at("entries");
    drive(async {
        let url = format!("file://{}", place.display());
        let (origin, pair) = (Origin::new(), Pair::new("files", &url));
        let id = pair.warm(&origin).await;
        fs::remove_dir_all(&place).unwrap();
        pair.a.call(&origin, id).await;
        pair.heals(&origin).await;
        fs::remove_dir_all(&place).unwrap();
        fs::write(&place, "no directory").unwrap();
        pair.a.call(&origin, id).await;
        pair.a.fifty(&origin).await;
        pair.a.is_steady(&origin).await;
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        pair.heals(&origin).await;
    });
}

#[cfg(unix)]
#[test]
fn a_directory_without_permission_costs_nothing_and_is_used_when_it_may_be() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new();
    let place = directory.at("entries");
    drive(async {
        let url = format!("file://{}", place.display());
        let (origin, pair) = (Origin::new(), Pair::new("files", &url));
        let id = pair.warm(&origin).await;
        let allow = |mode| fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
        // Root may all the same; then this is one more test of hits.
        allow(0o000);
        pair.a.call(&origin, id).await;
        pair.a.fifty(&origin).await;
        allow(0o755);
        pair.heals(&origin).await;
    });
}
