//! The store of files under hostile conditions: odd names, broken files, links, bounds, threads.

mod disk;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use disk::child::Process;
use disk::{Directory, Key, drive, keys, open, run, until};
use larder::ErrorKind;
use larder::store::Removal;
use proptest::prelude::*;

/// Played by the processes that other tests start; by itself it does nothing.
#[test]
fn child() {
    disk::child::play();
}

fn url(directory: &Directory, parameters: &str) -> String {
    format!("file://{}?{parameters}", directory.join("cache").display())
}

/// All files below a directory; some may go meanwhile.
fn files(below: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => all.extend(files(&path)),
            Ok(_) => all.push(path),
            Err(_) => {}
        }
    }
    all
}

fn entries(directory: &Directory) -> Vec<PathBuf> {
    files(&directory.join("cache/entries"))
}

/// The file of the only entry.
fn the_entry(directory: &Directory) -> PathBuf {
    let all = entries(directory);
    assert_eq!(all.len(), 1);
    all[0].clone()
}

#[test]
fn names_are_pinned() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    drive(Key(&*store, "user:7/Ä").put(b"1")).unwrap();
    let path = the_entry(&directory);
    let inside = path.strip_prefix(directory.join("cache")).unwrap();
    assert_eq!(
        inside.to_str().unwrap(),
        "entries/98/5/user%3a7%2f%c3%84-98589415a7c794bc2c55522368691b1d"
    );
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[..10], b"1user:7/\xC3\x84");
    assert_eq!(&bytes[bytes.len() - 8..], b"larder\0\x01");
}

#[test]
fn no_key_leads_out_of_the_directory() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    let long = "x".repeat(100_000);
    let odd = [
        "../evil",
        "..",
        ".",
        "",
        "/etc/passwd",
        "a/../../../b",
        "\0",
        "\n",
        "CON",
        "nul.txt",
        "COM1",
        "a\\b",
        "A",
        "a",
        "é",
        "e\u{301}",
        "~",
        "-",
        "%2e%2e",
        "a*?[",
        " ",
        "a ",
        "a.",
        &long,
        ".larder-1-2",
    ];
    drive(async {
        for key in odd {
            assert!(Key(&*store, key).put(key.as_bytes()).await.unwrap());
        }
        for key in odd {
            let bytes = Key(&*store, key).bytes().await.unwrap();
            assert_eq!(bytes.as_deref(), Some(key.as_bytes()), "{key:?}");
        }
        let mut expected: Vec<String> = odd.iter().map(|key| (*key).to_owned()).collect();
        expected.sort();
        assert_eq!(keys(&*store, "").await, expected);
    });
    let all = files(directory.path());
    let inside = directory.join("cache");
    assert!(all.iter().all(|path| path.starts_with(&inside)), "{all:?}");
    assert_eq!(entries(&directory).len(), odd.len());
    for path in entries(&directory) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let safe = |c: char| c.is_ascii_alphanumeric() || "-_%~".contains(c);
        assert!(name.len() <= 143 && name.chars().all(safe), "{name}");
    }
}

#[test]
fn names_differ_where_upper_and_lower_case_are_the_same() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    drive(async {
        Key(&*store, "Key").put(b"1").await.unwrap();
        Key(&*store, "kEY").put(b"2").await.unwrap();
    });
    let mut names: Vec<String> = entries(&directory)
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_lowercase())
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 2);
}

#[test]
fn every_piece_of_an_entry_is_nothing() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    let key = Key(&*store, "k");
    drive(key.put(b"some bytes")).unwrap();
    let path = the_entry(&directory);
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(drive(key.bytes()).unwrap(), None, "{length} bytes of it");
        assert_eq!(drive(store.remaining(&["k"])).unwrap(), [None]);
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(drive(key.bytes()).unwrap(), None, "byte {at} is another");
    }
    assert!(path.exists(), "what is not ours is left alone");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(drive(key.bytes()).unwrap().unwrap(), b"some bytes");
}

#[test]
fn an_entry_under_the_name_of_another_key_is_nothing() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    drive(Key(&*store, "a").put(b"1")).unwrap();
    let of_a = the_entry(&directory);
    drive(Key(&*store, "b").put(b"2")).unwrap();
    let all = entries(&directory);
    let of_b = all.iter().find(|path| **path != of_a).unwrap();
    std::fs::copy(&of_a, of_b).unwrap();
    assert_eq!(drive(Key(&*store, "b").bytes()).unwrap(), None);
    assert_eq!(drive(store.remaining(&["a", "b"])).unwrap()[1], None);
}

#[test]
fn foreign_files_are_left_alone_by_everything() {
    let directory = Directory::new();
    let store = open(&url(&directory, "sweep=20ms&entries=5"), "").unwrap();
    drive(Key(&*store, "k").put(b"1")).unwrap();
    let leaf = the_entry(&directory).parent().unwrap().to_owned();
    let foreign = [
        leaf.join("README"),
        leaf.join(format!("k-{}", "0".repeat(32))),
        leaf.join(format!("k~{}", "0".repeat(32))),
        directory.join("cache/entries/notes.txt"),
        directory.join("cache/mine"),
    ];
    for path in &foreign {
        std::fs::write(path, "mine").unwrap();
    }
    drive(async {
        assert_eq!(keys(&*store, "").await, ["k"]);
        store.remove(&Removal::Prefix("")).await.unwrap();
        // Evicting and sweeping go over them.
        for n in 0..100 {
            let life = Some(Duration::from_millis(30));
            Key(&*store, &n.to_string())
                .put_for(b"1", life)
                .await
                .unwrap();
        }
    });
    until("what is over is swept", || {
        entries(&directory).len() == foreign.len() - 1
    });
    for path in &foreign {
        assert_eq!(std::fs::read(path).unwrap(), b"mine");
    }
}

#[test]
#[cfg(unix)]
fn links_are_followed_neither_for_reading_nor_for_writing() {
    use std::os::unix::fs::symlink;
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    let key = Key(&*store, "k");
    drive(key.put(b"1")).unwrap();
    let path = the_entry(&directory);
    let outside = directory.join("outside");
    std::fs::rename(&path, &outside).unwrap();
    let before = std::fs::read(&outside).unwrap();
    symlink(&outside, &path).unwrap();
    // A whole entry, but not at its place.
    assert_eq!(drive(key.bytes()).unwrap(), None);
    assert!(drive(key.put(b"2")).unwrap());
    assert_eq!(std::fs::read(&outside).unwrap(), before);
    assert!(!path.symlink_metadata().unwrap().is_symlink());
    assert_eq!(drive(key.bytes()).unwrap().unwrap(), b"2");
    // A directory that leads elsewhere is not written into.
    let leaf = path.parent().unwrap();
    std::fs::remove_dir_all(leaf).unwrap();
    std::fs::create_dir(directory.join("elsewhere")).unwrap();
    symlink(directory.join("elsewhere"), leaf).unwrap();
    let error = drive(key.put(b"3")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert_eq!(files(&directory.join("elsewhere")), Vec::<PathBuf>::new());
    // Nor is a lock.
    let victim = directory.join("victim");
    std::fs::write(&victim, "mine").unwrap();
    for shard in files(&directory.join("cache/shards")) {
        std::fs::remove_file(&shard).unwrap();
        symlink(&victim, &shard).unwrap();
    }
    drive(key.put(b"4")).unwrap_err();
    assert_eq!(std::fs::read(&victim).unwrap(), b"mine");
}

#[test]
#[cfg(unix)]
fn a_pipe_in_the_place_of_an_entry_holds_nobody_up() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    let key = Key(&*store, "k");
    drive(key.put(b"1")).unwrap();
    let path = the_entry(&directory);
    std::fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    assert_eq!(drive(key.bytes()).unwrap(), None);
    assert!(drive(key.put(b"2")).unwrap());
    assert_eq!(drive(key.bytes()).unwrap().unwrap(), b"2");
}

#[test]
fn a_directory_that_is_removed_while_it_is_used_is_made_anew() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    let key = Key(&*store, "k");
    drive(key.put(b"1")).unwrap();
    let lease = drive(key.lease());
    std::fs::remove_dir_all(directory.join("cache")).unwrap();
    assert_eq!(drive(key.bytes()).unwrap(), None);
    assert!(!drive(key.fill(b"old", &lease)).unwrap());
    assert!(drive(key.put(b"2")).unwrap());
    assert_eq!(drive(key.bytes()).unwrap().unwrap(), b"2");
    drive(store.ping()).unwrap();
}

#[test]
fn a_place_where_no_directory_can_be_is_an_error() {
    let directory = Directory::new();
    std::fs::write(directory.join("plain"), "").unwrap();
    for path in [directory.join("plain/cache"), "/proc/cache".into()] {
        let store = open(&format!("file://{}", path.display()), "").unwrap();
        let error = drive(Key(&*store, "k").put(b"1")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{error}");
        drive(store.ping()).unwrap_err();
        // There is nothing to be found, which is no error.
        assert_eq!(drive(Key(&*store, "k").bytes()).unwrap(), None);
    }
}

#[test]
fn another_layout_is_refused() {
    let directory = Directory::new();
    std::fs::create_dir(directory.join("cache")).unwrap();
    let label = directory.join("cache/larder.txt");
    std::fs::write(&label, "Entries of a cache, kept by larder. Layout 2.\n").unwrap();
    let store = open(&url(&directory, ""), "").unwrap();
    let error = drive(Key(&*store, "k").put(b"1")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("another layout"), "{error}");
}

#[test]
fn a_disk_that_is_full_is_an_error_and_leaves_no_piece() {
    let directory = Directory::new();
    let url = url(&directory, "");
    // No file may grow beyond 400 KiB.
    let script = r#"trap "" XFSZ; ulimit -f 800; exec "$0" "$@""#;
    let other = Process::start_in_shell(script, "obey", &url);
    assert_eq!(other.order("put small 1"), "true");
    let said = other.order("large big 3000000");
    assert!(said.starts_with("Store"), "{said}");
    assert_eq!(other.order("get small"), "1");
    assert_eq!(other.order("get big"), "nothing");
    other.end();
    assert_eq!(entries(&directory).len(), 1);
}

#[test]
fn what_was_never_finished_is_swept_when_nobody_can_be_writing_it() {
    let directory = Directory::new();
    let store = open(&url(&directory, "sweep=20ms"), "").unwrap();
    drive(Key(&*store, "k").put(b"1")).unwrap();
    let leaf = the_entry(&directory).parent().unwrap().to_owned();
    let (old, young) = (leaf.join(".larder-1-a"), leaf.join(".larder-1-b"));
    std::fs::write(&young, "half").unwrap();
    let file = std::fs::File::create(&old).unwrap();
    let hour = Duration::from_secs(3_600);
    file.set_modified(SystemTime::now() - hour).unwrap();
    until("the old one is gone", || !old.exists());
    assert!(young.exists());
}

#[test]
fn all_together_stay_within_their_bound_and_keep_what_is_used() {
    let directory = Directory::new();
    let store = open(&url(&directory, "size=2mb"), "").unwrap();
    let size = || -> u64 {
        let sizes = entries(&directory).into_iter();
        sizes
            .filter_map(|path| path.metadata().ok())
            .map(|m| m.len())
            .sum()
    };
    let many = |from: u32, to: u32| {
        drive(async {
            for n in from..to {
                Key(&*store, &format!("k{n:04}"))
                    .put(&[7; 4_000])
                    .await
                    .unwrap();
            }
        });
    };
    many(0, 400);
    // What was used long ago goes first.
    let old = SystemTime::now() - Duration::from_secs(3_600);
    for path in entries(&directory) {
        if !path.to_str().unwrap().contains("k0007") {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(old).unwrap();
        }
    }
    many(400, 700);
    // The bound, and the sixteenth that may come before it is looked at again.
    until("within the bound", || size() <= 2_125_000);
    let kept = drive(keys(&*store, ""));
    assert!(kept.len() > 200, "only {} are left", kept.len());
    assert!(kept.contains(&"k0007".to_owned()));
    let young = kept.iter().filter(|key| key.as_str() >= "k0400").count();
    assert!(young >= 250, "only {young} of 300 young ones are left");
    let error = drive(Key(&*store, "k").put(&vec![1; 2_000_001])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
}

#[test]
fn there_are_hardly_more_entries_than_there_may_be() {
    let directory = Directory::new();
    let store = open(&url(&directory, "entries=100"), "").unwrap();
    drive(async {
        for n in 0..1_000 {
            Key(&*store, &n.to_string()).put(b"1").await.unwrap();
        }
    });
    until("within the bound", || {
        (50..=106).contains(&entries(&directory).len())
    });
}

#[test]
fn what_is_far_too_much_when_a_store_is_opened_goes_down_to_its_bound() {
    let directory = Directory::new();
    let before = open(&url(&directory, ""), "").unwrap();
    drive(async {
        for n in 0..1_500 {
            Key(&*before, &n.to_string()).put(b"1").await.unwrap();
        }
    });
    let store = open(&url(&directory, "entries=100"), "").unwrap();
    drive(async {
        for n in 0..7 {
            Key(&*store, &n.to_string()).put(b"2").await.unwrap();
        }
    });
    until("within the bound", || {
        (50..=106).contains(&entries(&directory).len())
    });
}

#[test]
fn a_hit_notes_its_use_once_a_minute() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    let key = Key(&*store, "k");
    drive(key.put(b"1")).unwrap();
    let path = the_entry(&directory);
    let used = || path.metadata().unwrap().modified().unwrap();
    let before = used();
    for _ in 0..10 {
        drive(key.bytes()).unwrap().unwrap();
    }
    assert_eq!(used(), before);
    let old = SystemTime::now() - Duration::from_secs(61);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(old).unwrap();
    drive(key.bytes()).unwrap().unwrap();
    assert!(used() >= before);
}

#[test]
fn leases_of_a_torn_shard_are_lost_and_the_shard_goes_on() {
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    let key = Key(&*store, "k");
    let lease = drive(key.lease());
    for shard in files(&directory.join("cache/shards")) {
        let bytes = std::fs::read(&shard).unwrap();
        std::fs::write(&shard, &bytes[..bytes.len().saturating_sub(1)]).unwrap();
    }
    assert!(!drive(key.fill(b"old", &lease)).unwrap());
    let lease = drive(key.lease());
    assert!(drive(key.fill(b"new", &lease)).unwrap());
    assert_eq!(drive(key.bytes()).unwrap().unwrap(), b"new");
}

#[test]
#[cfg(unix)]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    let store = open(&url(&directory, ""), "").unwrap();
    drive(Key(&*store, "k").put(b"1")).unwrap();
    drive(Key(&*store, "j").lease());
    for path in files(&directory.join("cache")) {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        let above = path.parent().unwrap().metadata().unwrap();
        assert_eq!(above.permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn forced_to_the_disk_or_not_entries_are_the_same() {
    for fsync in ["none", "file", "full"] {
        let directory = Directory::new();
        let store = open(&url(&directory, &format!("fsync={fsync}")), "").unwrap();
        drive(async {
            let key = Key(&*store, "k");
            key.put(b"1").await.unwrap();
            assert_eq!(key.bytes().await.unwrap().unwrap(), b"1");
            assert_eq!(store.remove(&Removal::Keys(&["k"])).await.unwrap(), 1);
        });
    }
}

#[test]
fn a_burst_larger_than_the_queue_waits_and_is_served() {
    let directory = Directory::new();
    let store = open(&url(&directory, "busy_timeout=30s"), "").unwrap();
    run(async {
        let tasks: Vec<_> = (0..3_000)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move { Key(&*store, &n.to_string()).put(b"1").await })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap().unwrap());
        }
        assert_eq!(keys(&*store, "").await.len(), 3_000);
    });
}

#[test]
fn urls_that_cannot_be_meant_are_refused() {
    for wrong in [
        "file://",
        "file:///",
        "file://a,b/c",
        "file://host:80/c",
        "file://user@host/c",
        "file:///a?fsnyc=full",
        "file:///a?fsync=always",
        "file:///a?threads=0",
        "file:///a?entries=0",
        "file:///a?sweep=0s",
    ] {
        let error = open(wrong, "").map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{wrong}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_keys_stay_apart_and_are_found_by_their_prefixes(
        all in proptest::collection::btree_set(any::<String>(), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let directory = Directory::new();
        let store = open(&url(&directory, ""), "").unwrap();
        drive(async {
            for key in &all {
                assert!(Key(&*store, key).put(key.as_bytes()).await.unwrap());
            }
            for key in &all {
                let bytes = Key(&*store, key).bytes().await.unwrap();
                assert_eq!(bytes.as_deref(), Some(key.as_bytes()));
            }
            assert_eq!(keys(&*store, "").await, all.iter().cloned().collect::<Vec<_>>());
            let some = cut.get(&all.iter().collect::<Vec<_>>()).chars().collect::<Vec<_>>();
            let prefix: String = some[..some.len() / 2].iter().collect();
            let expected = all.iter().filter(|k| k.starts_with(&prefix)).count();
            let removed = store.remove(&Removal::Prefix(&prefix)).await.unwrap();
            assert_eq!(removed, expected as u64);
            assert_eq!(keys(&*store, "").await.len(), all.len() - expected);
        });
    }

    #[test]
    fn whatever_stands_in_a_file_is_an_entry_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let directory = Directory::new();
        let store = open(&url(&directory, ""), "").unwrap();
        let key = Key(&*store, "k");
        drive(key.put(b"1")).unwrap();
        let path = the_entry(&directory);
        let whole = std::fs::read(&path).unwrap();
        // Also behind the end of an entry, and before it.
        for bytes in [bytes.clone(), [bytes.clone(), whole.clone()].concat(), [whole.clone(), bytes.clone()].concat()] {
            std::fs::write(&path, &bytes).unwrap();
            let expected = (bytes == whole).then(|| b"1".to_vec());
            assert_eq!(drive(key.bytes()).unwrap(), expected);
            assert_eq!(drive(store.remaining(&["k"])).unwrap()[0].is_some(), bytes == whole);
        }
        for shard in files(&directory.join("cache/shards")) {
            std::fs::write(&shard, &bytes).unwrap();
        }
        let lease = drive(key.lease());
        assert!(drive(key.fill(b"2", &lease)).unwrap());
        drive(store.close()).unwrap();
    }
}
