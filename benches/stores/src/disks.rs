//! A hit on a disk of this machine beside the least that could be done: a prepared SELECT, and `std::fs::read`.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use larder::Cache;
use rusqlite::Connection;

use crate::material::{Page, key, open, open_store, page, page_sync, sized, stored};
use crate::measure::{Bench, Case, Place, Subject};
use crate::memcached::timed;
use crate::redis::{hits, many_hits};
use crate::servers::new_directory;

const SIZES: [usize; 3] = [64, 1_000, 10_000];

pub(crate) fn run(bench: &mut Bench) {
    for scheme in ["sqlite", "file"] {
        if !bench.wants(scheme) {
            continue;
        }
        let directory = Directory(new_directory());
        // The cache adds no prefix, so the bare store has the same names.
        let url = format!("{scheme}://{}/a?prefix=bench:", directory.0.display());
        let place = Place::multi();
        let inline = open(&format!("{url}&sync_reads=inline"));
        let cache = place.run(async move { open(&url) });
        for size in SIZES {
            let case = Case {
                name: format!("{scheme}.hit.{size}"),
                about: format!("one caller, {}", sized(size)),
            };
            if bench.wants(&case.name) {
                let warm = cache.clone();
                let bare_url = format!("{scheme}://{}/a", directory.0.display());
                let bytes = place.run(async move {
                    assert_eq!(page(&warm, size).await, Page::of(size));
                    stored(&*open_store(&bare_url), size).await
                });
                let bare = Bare::new(scheme, &directory.0, size, &bytes);
                hit(bench, &case, &place, [&cache, &inline], bare, size);
            }
        }
        if bench.wants(&format!("{scheme}.many")) {
            many(bench, scheme, &place, &cache);
        }
    }
}

fn hit(
    bench: &mut Bench,
    case: &Case,
    place: &Place,
    [cache, inline]: [&Cache; 2],
    bare: Bare,
    size: usize,
) {
    let name = bare.name();
    let bare = Arc::new(bare);
    let subjects = vec![
        Subject::new(name.0, |count| {
            timed(count, || drop(black_box(bare.read())))
        }),
        Subject::new("#[cached] fn", |count| {
            timed(count, || drop(black_box(page_sync(cache, size))))
        }),
        Subject::new("#[cached] fn, sync_reads=inline", |count| {
            timed(count, || drop(black_box(page_sync(inline, size))))
        }),
        Subject::new("cache.blocking().get, inline", |count| {
            let (blocking, key) = (inline.blocking(), key(size));
            timed(count, || {
                let page: Option<Page> = blocking.get(&key).expect("an answer");
                assert!(black_box(page).is_some());
            })
        }),
        Subject::new(name.1, |count| {
            let bare = Arc::clone(&bare);
            place.time(count, move || {
                let bare = Arc::clone(&bare);
                async move {
                    let read = tokio::task::spawn_blocking(move || bare.read());
                    black_box(read.await.expect("bytes"));
                }
            })
        }),
        Subject::new("#[cached] async fn", |count| {
            hits(place, cache, size, count)
        }),
    ];
    let before = cache.stats().loads;
    bench.compare(case, subjects);
    assert_eq!(cache.stats().loads, before, "all were hits");
}

fn many(bench: &mut Bench, scheme: &str, place: &Place, cache: &Cache) {
    let case = Case {
        name: format!("{scheme}.many"),
        about: format!("64 tasks, {}", sized(1_000)),
    };
    let work = |count| many_hits(place, cache, 1_000, count);
    bench.compare(&case, vec![Subject::new("#[cached] async fn", work)]);
}

/// The least that could be done.
enum Bare {
    Select(Mutex<Connection>),
    File(PathBuf),
}

impl Bare {
    fn new(scheme: &str, directory: &Path, size: usize, bytes: &[u8]) -> Self {
        let path = directory.join(format!("bare-{size}"));
        if scheme == "file" {
            std::fs::write(&path, bytes).expect("a file");
            return Self::File(path);
        }
        let db = Connection::open(path).expect("a database");
        let made = db.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE kv(key TEXT PRIMARY KEY, bytes BLOB)",
        );
        made.expect("a table");
        let put = db.execute("INSERT INTO kv VALUES ('page', ?1)", [bytes]);
        put.expect("a row");
        Self::Select(Mutex::new(db))
    }

    /// What it is called: here, and by a thread for blocking calls.
    fn name(&self) -> (&'static str, &'static str) {
        match self {
            Self::Select(_) => ("bare SELECT", "bare SELECT in spawn_blocking"),
            Self::File(_) => ("fs::read", "fs::read in spawn_blocking"),
        }
    }

    fn read(&self) -> Vec<u8> {
        match self {
            Self::File(path) => std::fs::read(path).expect("a file"),
            Self::Select(db) => {
                let db = db.lock().expect("nobody panicked");
                let mut select = db
                    .prepare_cached("SELECT bytes FROM kv WHERE key = ?1")
                    .expect("a statement");
                let row = select.query_row(["page"], |row| row.get(0));
                row.expect("a row")
            }
        }
    }
}

/// Goes with its case.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
