//! The store in an SQLite database under hostile conditions: broken files, full disks, bounds, threads.

mod disk;

use std::time::Duration;

use disk::child::Process;
use disk::{Directory, Key, MINUTE, drive, keys, open, run, until};
use larder::ErrorKind;
use larder::store::{Ask, Head, Removal, Scan, Touch};
use proptest::prelude::*;

/// Played by the processes that other tests start; by itself it does nothing.
#[test]
fn child() {
    disk::child::play();
}

fn url(directory: &Directory, parameters: &str) -> String {
    let path = directory.join("a.db");
    format!("sqlite://{}?{parameters}", path.display())
}

#[test]
fn a_file_that_is_no_database_is_an_error_of_the_store() {
    let directory = Directory::new();
    std::fs::write(directory.join("a.db"), vec![b'x'; 10_000]).unwrap();
    let store = open(&url(&directory, ""), "").unwrap();
    let error = drive(Key(&*store, "k").bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("no sound database"), "{error}");
    let kept = std::fs::read(directory.join("a.db")).unwrap();
    assert!(kept == vec![b'x'; 10_000], "it must be left alone");
}

#[test]
fn a_file_that_is_no_database_is_replaced_if_that_is_wanted() {
    let directory = Directory::new();
    std::fs::write(directory.join("a.db"), vec![b'x'; 10_000]).unwrap();
    let store = open(&url(&directory, "on_corrupt=replace"), "").unwrap();
    drive(async {
        let key = Key(&*store, "k");
        assert_eq!(key.bytes().await.unwrap(), None);
        assert!(key.put(b"1").await.unwrap());
        assert_eq!(key.bytes().await.unwrap().unwrap(), b"1");
    });
    let names = std::fs::read_dir(directory.path()).unwrap();
    let aside = names
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().contains("-broken-"))
        .map(|path| std::fs::read(path).unwrap());
    assert_eq!(aside.collect::<Vec<_>>(), [vec![b'x'; 10_000]]);
}

#[test]
fn pages_that_are_damaged_later_are_errors_and_then_replaced() {
    for (parameters, heals) in [("", false), ("on_corrupt=replace", true)] {
        let directory = Directory::new();
        let store = open(&url(&directory, ""), "").unwrap();
        drive(async {
            for n in 0..200 {
                let key = format!("k{n}");
                Key(&*store, &key).put(&[7; 3_000]).await.unwrap();
            }
            store.close().await.unwrap();
        });
        // The first page is whole: what is broken is found only when it is read.
        let mut bytes = std::fs::read(directory.join("a.db")).unwrap();
        bytes[4_096..].fill(0xA5);
        std::fs::write(directory.join("a.db"), bytes).unwrap();
        let store = open(&url(&directory, parameters), "").unwrap();
        let mut tries = 0;
        until("an answer", || {
            tries += 1;
            let put = drive(Key(&*store, "k1").put(b"new"));
            match (put, heals) {
                (Err(error), _) => {
                    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
                    !heals && tries > 3
                }
                (Ok(done), true) => done,
                (Ok(_), false) => panic!("written into a damaged file"),
            }
        });
        if heals {
            assert_eq!(drive(keys(&*store, "")), ["k1"]);
        }
    }
}

#[test]
fn databases_of_others_and_other_versions_are_never_replaced() {
    let directory = Directory::new();
    for sql in [
        "CREATE TABLE theirs(a); INSERT INTO theirs VALUES (1)",
        "PRAGMA application_id = 1281454692; PRAGMA user_version = 2",
    ] {
        let path = directory.join("a.db");
        let bare = rusqlite::Connection::open(&path).unwrap();
        bare.execute_batch(sql).unwrap();
        drop(bare);
        let store = open(&url(&directory, "on_corrupt=replace"), "").unwrap();
        let error = drive(Key(&*store, "k").put(b"1")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        let text = error.to_string();
        assert!(
            text.contains("of another application") || text.contains("version 2 of the schema"),
            "{text}"
        );
        drop(store);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_file_that_is_removed_while_it_is_used_is_made_anew() {
    let directory = Directory::new();
    let url = url(&directory, "");
    let (store, other) = (open(&url, "").unwrap(), open(&url, "").unwrap());
    drive(async {
        assert!(Key(&*store, "k").put(b"1").await.unwrap());
        assert!(Key(&*other, "k").bytes().await.unwrap().is_some());
    });
    for name in ["a.db", "a.db-wal", "a.db-shm"] {
        drop(std::fs::remove_file(directory.join(name)));
    }
    assert!(drive(Key(&*store, "k").put(b"2")).unwrap());
    // The other does not go on with the file that is no more.
    until("the other handle sees the new file", || {
        drive(Key(&*other, "k").bytes()).unwrap().as_deref() == Some(b"2")
    });
}

#[test]
fn a_place_where_no_file_can_be_is_an_error() {
    let directory = Directory::new();
    std::fs::write(directory.join("plain"), "").unwrap();
    for path in [directory.join("plain/a.db"), "/proc/a.db".into()] {
        let store = open(&format!("sqlite://{}", path.display()), "").unwrap();
        let error = drive(Key(&*store, "k").bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
}

#[test]
fn a_disk_that_is_full_is_an_error_and_nothing_is_lost() {
    let directory = Directory::new();
    let url = url(&directory, "");
    // No file may grow beyond 400 KiB.
    let script = r#"trap "" XFSZ; ulimit -f 800; exec "$0" "$@""#;
    let other = Process::start_in_shell(script, "obey", &url);
    assert_eq!(other.order("put small 1"), "true");
    let said = other.order("large big 3000000");
    assert!(
        said.starts_with("Store") || said.starts_with("Unavailable"),
        "{said}"
    );
    assert_eq!(other.order("get small"), "1");
    assert_eq!(other.order("put small 2"), "true");
    other.end();
    let store = open(&url, "").unwrap();
    drive(async {
        assert_eq!(keys(&*store, "").await, ["small"]);
        assert_eq!(Key(&*store, "small").bytes().await.unwrap().unwrap(), b"2");
    });
}

#[test]
fn the_file_stays_within_its_bound_and_keeps_what_is_used() {
    let directory = Directory::new();
    let store = open(&url(&directory, "size=2mb&sweep=20ms"), "").unwrap();
    drive(async {
        for n in 0..2_000 {
            let key = format!("k{n:04}");
            Key(&*store, &key).put(&[7; 4_000]).await.unwrap();
        }
    });
    let size = std::fs::metadata(directory.join("a.db")).unwrap().len();
    assert!(size < 3_000_000, "{size} bytes");
    let kept = drive(keys(&*store, ""));
    assert!(kept.len() > 300, "only {} are left", kept.len());
    assert_eq!(kept.last().unwrap(), "k1999");
    let error = drive(Key(&*store, "k").put(&vec![1; 2_000_001])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    // What is given back is given back to the file system too.
    drive(store.remove(&Removal::Prefix(""))).unwrap();
    until("the file shrinks", || {
        drive(Key(&*store, "k").put(b"1")).unwrap();
        std::fs::metadata(directory.join("a.db")).unwrap().len() < 1_000_000
    });
}

#[test]
fn there_are_no_more_entries_than_there_may_be() {
    let directory = Directory::new();
    let store = open(&url(&directory, "entries=100"), "").unwrap();
    drive(async {
        for n in 0..1_000 {
            Key(&*store, &format!("{n:04}")).put(b"1").await.unwrap();
        }
        let kept = keys(&*store, "").await;
        assert!((80..=100).contains(&kept.len()), "{}", kept.len());
        assert!(kept.iter().all(|key| key.as_str() >= "0890"), "{kept:?}");
    });
}

#[test]
fn what_is_over_is_swept_without_being_asked_for() {
    let directory = Directory::new();
    let path = directory.join("a.db");
    let store = open(&url(&directory, "sweep=20ms"), "").unwrap();
    drive(async {
        for n in 0..1_200 {
            let life = Some(Duration::from_millis(10));
            Key(&*store, &n.to_string())
                .put_for(b"1", life)
                .await
                .unwrap();
        }
        Key(&*store, "stays").put(b"1").await.unwrap();
    });
    let bare = rusqlite::Connection::open(path).unwrap();
    until("only what lives is there", || {
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            bare.query_row(&sql, [], |row| row.get::<_, i64>(0))
        };
        matches!((count("entry"), count("body")), (Ok(1), Ok(1)))
    });
}

#[test]
fn the_log_does_not_grow_without_end() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    drive(async {
        for n in 0..1_500 {
            let key = format!("k{}", n % 10);
            Key(&*store, &key).put(&[7; 60_000]).await.unwrap();
            // Readers come and go meanwhile.
            Key(&*store, &key).bytes().await.unwrap();
        }
    });
    let size = std::fs::metadata(directory.join("a.db-wal")).unwrap().len();
    assert!(size < 32 << 20, "{size} bytes after 90 MB were written");
}

#[test]
fn a_hit_writes_nothing() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    drive(Key(&*store, "k").put(b"1")).unwrap();
    let log = || std::fs::metadata(directory.join("a.db-wal")).unwrap().len();
    let before = log();
    for _ in 0..100 {
        drive(Key(&*store, "k").ask(Ask::EntryOrLease)).unwrap();
    }
    assert_eq!(log(), before);
}

#[test]
fn a_new_head_moves_no_body() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    let (head, other) = (head(0), head(1));
    let mut bytes = head.clone();
    bytes.resize(8_000_000, 7);
    drive(async {
        let key = Key(&*store, "k");
        key.put(&bytes).await.unwrap();
        let lease = key.lease().await;
        let log = std::fs::metadata(directory.join("a.db-wal")).unwrap().len();
        let touch = Touch {
            key: "k",
            head: &other,
            life: Some(MINUTE),
            lease: &lease,
        };
        assert!(store.touch(&touch).await.unwrap());
        let now = std::fs::metadata(directory.join("a.db-wal")).unwrap().len();
        assert!(now < log.max(100_000) + 100_000, "{log} {now}");
        bytes[..other.len()].copy_from_slice(&other);
        assert!(key.bytes().await.unwrap().unwrap() == bytes);
    });
}

/// A head that was written at this time.
fn head(written: u64) -> Vec<u8> {
    let mut head = vec![0xC1, 1, 0, 0, 0, 69, 1, 0, 0, 0];
    head.extend(written.to_be_bytes());
    head.extend([0xFF; 24]);
    head.extend([0; 27]);
    assert!(Head::parse(&head).is_some());
    head
}

#[test]
#[cfg(target_os = "linux")]
fn threads_end_with_the_store() {
    let directory = Directory::new();
    let url = url(&directory, "readers=3");
    // Other tests of this process have threads too: these are told by what they hold open.
    let path = directory.join("a.db");
    let open_files = || {
        let all = std::fs::read_dir("/proc/self/fd").unwrap();
        all.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
            .filter(|target| *target == path)
            .count()
    };
    for closed in [true, false] {
        let store = open(&url, "").unwrap();
        run(async {
            let key = Key(&*store, "k");
            key.put(b"1").await.unwrap();
            key.bytes().await.unwrap();
            assert!(open_files() >= 2);
            if closed {
                store.close().await.unwrap();
                assert_eq!(open_files(), 0);
                let error = key.bytes().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Closed);
            }
        });
        drop(store);
        until("no connection is open", || open_files() == 0);
    }
}

#[test]
fn a_burst_larger_than_the_queue_waits_and_is_served() {
    let store = open("sqlite://memory", "").unwrap();
    run(async {
        let tasks: Vec<_> = (0..5_000)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move { Key(&*store, &n.to_string()).put(b"1").await })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap().unwrap());
        }
        assert_eq!(keys(&*store, "").await.len(), 5_000);
    });
}

#[test]
fn sixty_thousand_keys_under_a_prefix_go_in_slices() {
    let store = open("sqlite://memory?size=1gb", "").unwrap();
    run(async {
        for n in 0..60 {
            let keys: Vec<String> = (0..1_000).map(|m| format!("p:{n}:{m}")).collect();
            let writes: Vec<_> = keys
                .iter()
                .map(|key| larder::store::Write {
                    key,
                    bytes: b"1",
                    life: None,
                    condition: larder::store::Condition::Always,
                })
                .collect();
            store.write(&writes).await.unwrap();
        }
        Key(&*store, "q").put(b"1").await.unwrap();
        assert_eq!(store.remove(&Removal::Prefix("p:")).await.unwrap(), 60_000);
        assert_eq!(keys(&*store, "").await, ["q"]);
    });
}

#[test]
fn urls_that_cannot_be_meant_are_refused() {
    for wrong in [
        "sqlite://",
        "sqlite:///",
        "sqlite://a,b/c.db",
        "sqlite://host:80/c.db",
        "sqlite://user@host/c.db",
        "sqlite:///a.db?synchronus=full",
        "sqlite:///a.db?synchronous=never",
        "sqlite:///a.db?size=many",
        "sqlite:///a.db?readers=0",
        "sqlite:///a.db?entries=0",
    ] {
        let error = open(wrong, "").map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{wrong}: {error}");
    }
    let told = open("sqlite:///a.db?synchronus=full", "")
        .map(drop)
        .unwrap_err();
    assert!(told.to_string().contains("`synchronous`"), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_keys_stay_apart_and_are_found_by_their_prefixes(
        all in proptest::collection::btree_set(any::<String>(), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let store = open("sqlite://memory", "").unwrap();
        drive(async {
            for key in &all {
                assert!(Key(&*store, key).put(key.as_bytes()).await.unwrap());
            }
            for key in &all {
                let bytes = Key(&*store, key).bytes().await.unwrap();
                assert_eq!(bytes.as_deref(), Some(key.as_bytes()));
            }
            assert_eq!(keys(&*store, "").await, all.iter().cloned().collect::<Vec<_>>());
            // Every text that is the beginning of a key finds what begins so, and nothing else.
            let some = cut.get(&all.iter().collect::<Vec<_>>()).chars().collect::<Vec<_>>();
            let prefix: String = some[..some.len() / 2].iter().collect();
            let expected: Vec<_> = all.iter().filter(|k| k.starts_with(&prefix)).cloned().collect();
            assert_eq!(keys(&*store, &prefix).await, expected.clone());
            let removed = store.remove(&Removal::Prefix(&prefix)).await.unwrap();
            assert_eq!(removed, expected.len() as u64);
            let page = store.scan(&Scan { prefix: "", pattern: "*", cursor: None, limit: 100 });
            assert_eq!(page.await.unwrap().keys.len(), all.len() - expected.len());
        });
    }
}
