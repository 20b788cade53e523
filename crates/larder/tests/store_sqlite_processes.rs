//! The store in an SQLite database, used by several processes, some of which are killed.

mod disk;

use disk::child::{KEYS, Process, check};
use disk::{Directory, Key, MINUTE, drive, keys, open, run};
use larder::store::{Acquired, Removal};

/// Played by the processes that other tests start; by itself it does nothing.
#[test]
fn child() {
    disk::child::play();
}

#[test]
fn two_writers_killed_in_the_middle_leave_a_sound_file() {
    let directory = Directory::new();
    let path = directory.join("a.db");
    // Small enough that evicting is a part of it.
    let url = format!(
        "sqlite://{}?size=3mb&sweep=20ms&busy_timeout=30s",
        path.display()
    );
    let mut entries = 0;
    for _ in 0..12 {
        let mut writers = [Process::start("write", &url), Process::start("write", &url)];
        for writer in &writers {
            assert_eq!(writer.hear(), "wrote");
        }
        // What is heard depends on the machine, so each round kills at another point.
        assert_eq!(writers[0].hear(), "wrote");
        writers.iter_mut().for_each(Process::kill);
        let bare = rusqlite::Connection::open(&path).unwrap();
        let said = bare.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
        assert_eq!(said.unwrap(), "ok");
        drop(bare);
        let store = open(&url, "").unwrap();
        drive(async {
            for n in 0..KEYS {
                let bytes = Key(&*store, &format!("k{n}")).bytes().await.unwrap();
                bytes.iter().for_each(|bytes| check(bytes));
                entries += usize::from(bytes.is_some());
            }
            store.close().await.unwrap();
        });
    }
    assert!(entries > 12, "nearly nothing was kept: {entries}");
}

#[test]
fn what_one_process_removes_another_cannot_fill() {
    let directory = Directory::new();
    let url = format!(
        "sqlite://{}?busy_timeout=30s",
        directory.join("a.db").display()
    );
    let store = open(&url, "").unwrap();
    let other = Process::start("obey", &url);
    drive(async {
        let key = Key(&*store, "user:7");
        for removal in [
            Removal::Keys(&["user:7"]),
            Removal::Prefix("us"),
            Removal::Prefix(""),
            Removal::Pattern {
                prefix: "user",
                pattern: ":?",
            },
        ] {
            assert_eq!(other.order("lease user:7"), "leased");
            store.remove(&removal).await.unwrap();
            assert_eq!(other.order("fill user:7 old"), "false", "{removal:?}");
            assert_eq!(key.bytes().await.unwrap(), None);
        }
        // The same way back, and by writing.
        let lease = key.lease().await;
        assert_eq!(other.order("put user:7 true"), "true");
        assert!(!key.fill(b"old", &lease).await.unwrap());
        assert_eq!(other.order("get user:7"), "true");
        // A lease that nothing ended fills.
        assert_eq!(other.order("lease user:7"), "leased");
        assert_eq!(other.order("fill user:7 new"), "true");
        assert_eq!(key.bytes().await.unwrap().unwrap(), b"new");
    });
    other.end();
}

#[test]
fn several_processes_count_as_one() {
    let directory = Directory::new();
    let url = format!(
        "sqlite://{}?busy_timeout=30s",
        directory.join("a.db").display()
    );
    let others = [(); 3].map(|()| Process::start("count", &url));
    others.into_iter().for_each(Process::end);
    let store = open(&url, "").unwrap();
    let sum = drive(Key(&*store, "n").bytes()).unwrap();
    assert_eq!(sum.unwrap(), b"750");
}

#[test]
fn a_lock_outlives_its_process_until_its_own_end() {
    let directory = Directory::new();
    let url = format!(
        "sqlite://{}?busy_timeout=30s",
        directory.join("a.db").display()
    );
    let mut other = Process::start("obey", &url);
    let held = other.order("lock job a");
    let first: u64 = held.strip_prefix("held ").unwrap().parse().unwrap();
    other.kill();
    let store = open(&url, "").unwrap();
    let locks = store.locks().unwrap();
    drive(async {
        let taken = locks.acquire("job", "b", MINUTE).await.unwrap();
        assert!(matches!(taken, Acquired::Taken { left } if left <= MINUTE));
        assert!(locks.release("job", "a").await.unwrap());
        let held = locks.acquire("job", "b", MINUTE).await.unwrap();
        assert!(matches!(held, Acquired::Held { fence } if fence > first));
    });
}

#[test]
fn fencing_numbers_go_on_where_a_place_that_was_lost_has_ended() {
    let fence = |_: u32| {
        let directory = Directory::new();
        let store = open(
            &format!("sqlite://{}", directory.join("a.db").display()),
            "",
        )
        .unwrap();
        let locks = store.locks().unwrap();
        match drive(locks.acquire("job", "a", MINUTE)).unwrap() {
            Acquired::Held { fence } => fence,
            taken => panic!("{taken:?}"),
        }
    };
    let fences: Vec<_> = (0..3).map(fence).collect();
    assert!(fences.is_sorted_by(|a, b| a < b), "{fences:?}");
}

#[test]
fn a_stopped_process_costs_the_busy_timeout_and_no_more() {
    let directory = Directory::new();
    let path = directory.join("a.db");
    let url = format!("sqlite://{}?busy_timeout=100ms", path.display());
    let store = open(&url, "").unwrap();
    run(async {
        let key = Key(&*store, "k");
        key.put(b"1").await.unwrap();
        // Another that began to write and went no further.
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = key.put(b"2").await.unwrap_err();
        assert_eq!(error.kind(), larder::ErrorKind::Unavailable);
        assert_eq!(key.bytes().await.unwrap().unwrap(), b"1");
        other.execute_batch("ROLLBACK").unwrap();
        assert!(key.put(b"3").await.unwrap());
        assert_eq!(keys(&*store, "").await, ["k"]);
    });
}
