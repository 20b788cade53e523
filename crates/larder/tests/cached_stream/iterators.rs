//! Functions that return an iterator.

use std::time::Duration;

use larder::{Cache, cached_stream, invalidates};

use crate::source::{Rows, Scene};
use crate::support::{Oops, World, secs};

#[cached_stream(key = "rows:{count}", ttl = "1m", cache = rows.cache)]
fn rows(rows: &Rows, count: u64) -> impl Iterator<Item = u64> {
    rows.start();
    (0..count).map(|at| rows.row(at).unwrap())
}

#[cached_stream(key = "lines:{count}", ttl = "1m", fail_safe = "1h", cache = rows.cache)]
fn lines(rows: &Rows, count: u64) -> impl Iterator<Item = Result<u64, Oops>> {
    rows.start();
    (0..count).map(|at| rows.row(at))
}

#[test]
fn an_iterator_is_recorded_while_it_is_read_and_replayed_afterwards() {
    let scene = Scene::new();
    assert_eq!(rows(&scene.rows, 3).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(rows(&scene.rows, 3).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(scene.rows.calls(), 1);
    let mut replay = rows(&scene.rows, 3);
    assert_eq!(replay.next(), Some(0));
    assert_eq!(replay.size_hint(), (2, Some(2)));
}

#[test]
fn nothing_happens_before_the_first_item_is_asked_for() {
    let scene = Scene::new();
    drop(rows(&scene.rows, 3));
    assert_eq!(scene.rows.calls(), 0);
    assert!(scene.log.take().is_empty());
}

#[test]
fn an_iterator_that_yields_nothing_is_an_entry_too() {
    let scene = Scene::new();
    assert_eq!(rows(&scene.rows, 0).count(), 0);
    assert_eq!(rows(&scene.rows, 0).count(), 0);
    assert_eq!(scene.rows.calls(), 1);
}

#[test]
fn items_that_are_empty_or_zero_are_no_end() {
    let cache = World::new().cache();
    #[cached_stream(key = "blank", ttl = "1m", cache = cache)]
    fn blank(cache: &Cache) -> impl Iterator<Item = Option<String>> {
        [Some(String::new()), None, Some("last".to_owned())].into_iter()
    }
    let first: Vec<_> = blank(&cache).collect();
    assert_eq!(first, [Some(String::new()), None, Some("last".to_owned())]);
    assert_eq!(blank(&cache).collect::<Vec<_>>(), first);
    assert_eq!(blank::stats().loads, 1);
}

#[test]
fn what_is_not_read_to_its_end_is_not_kept() {
    let scene = Scene::new();
    assert_eq!(rows(&scene.rows, 3).take(2).count(), 2);
    assert!(scene.rows.cache.is_empty());
    assert!(scene.log.take().join(" ").contains("Dropped"));
    assert_eq!(rows(&scene.rows, 3).count(), 3);
    assert_eq!(scene.rows.calls(), 2);
}

#[test]
fn an_error_in_the_middle_is_passed_on_with_what_follows_and_nothing_is_kept() {
    let scene = Scene::new();
    scene.rows.change(|state| state.fails_at = Some(1));
    let got: Vec<_> = lines(&scene.rows, 3).collect();
    assert_eq!(got, [Ok(0), Err(Oops("row unreadable")), Ok(2)]);
    assert!(scene.rows.cache.is_empty());
    assert!(scene.log.take().join(" ").contains("Failed"));
    scene.rows.change(|state| state.fails_at = None);
    assert_eq!(
        lines(&scene.rows, 3).collect::<Vec<_>>(),
        [Ok(0), Ok(1), Ok(2)]
    );
    assert_eq!(lines(&scene.rows, 3).count(), 3);
    assert_eq!(scene.rows.calls(), 2);
}

#[test]
fn a_kept_recording_stands_in_for_a_source_that_fails_at_once() {
    let scene = Scene::new();
    assert_eq!(lines(&scene.rows, 3).count(), 3);
    scene.world.advance(secs(60));
    scene.rows.change(|state| state.fails_at = Some(0));
    assert_eq!(
        lines(&scene.rows, 3).collect::<Vec<_>>(),
        [Ok(0), Ok(1), Ok(2)]
    );
    assert_eq!(scene.log.count("saved lines:3"), 1);
}

#[test]
fn what_is_invalidated_while_it_is_read_is_not_kept() {
    let scene = Scene::new();
    let mut reading = rows(&scene.rows, 3);
    assert_eq!(reading.next(), Some(0));
    assert!(!rows::invalidate(&scene.rows, 3).unwrap());
    assert_eq!(reading.count(), 2, "the reader has what it asked for");
    assert!(scene.rows.cache.is_empty());
    assert_eq!(scene.log.count("superseded rows:3"), 1);
}

#[test]
fn a_panic_of_the_source_keeps_nothing_and_poisons_nothing() {
    let scene = Scene::new();
    scene.rows.change(|state| state.panics_at = Some(1));
    let source = scene.rows.clone();
    let read = std::panic::AssertUnwindSafe(|| rows(&source, 3).count());
    assert!(std::panic::catch_unwind(read).is_err());
    scene.rows.change(|state| state.panics_at = None);
    assert_eq!(rows(&scene.rows, 3).count(), 3);
    assert_eq!(rows(&scene.rows, 3).count(), 3);
    assert_eq!(scene.rows.calls(), 2);
}

#[cached_stream(key = "few:{count}", ttl = "1m", max_items = 2, cache = rows.cache)]
fn few(rows: &Rows, count: u64) -> impl Iterator<Item = u64> {
    rows.start();
    0..count
}

#[cached_stream(key = "small:{count}", ttl = "1m", max_bytes = 10, bytes = |text: &String| text.len(), cache = rows.cache)]
fn small(rows: &Rows, count: usize) -> impl Iterator<Item = String> {
    rows.start();
    (0..count).map(|_| "abcd".to_owned())
}

#[test]
fn what_is_too_long_is_passed_on_and_not_kept() {
    let scene = Scene::new();
    assert_eq!(few(&scene.rows, 2).count(), 2);
    assert_eq!(few(&scene.rows, 2).count(), 2);
    assert_eq!(scene.rows.calls(), 1, "what just fits is kept");
    assert_eq!(few(&scene.rows, 5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(scene.log.take().join(" ").contains("TooLong"));
    assert_eq!(few(&scene.rows, 5).count(), 5);
    assert_eq!(scene.rows.calls(), 3);
    assert_eq!(
        (small(&scene.rows, 2).count(), small(&scene.rows, 2).count()),
        (2, 2)
    );
    assert_eq!(
        (small(&scene.rows, 3).count(), small(&scene.rows, 3).count()),
        (3, 3)
    );
    assert_eq!(scene.rows.calls(), 6);
}

#[cached_stream(key = "boxed", ttl = "1m", bypass = past, cache = rows.cache)]
fn boxed(rows: &Rows, past: bool) -> Box<dyn Iterator<Item = u64> + '_> {
    rows.start();
    Box::new((0..2).map(|at| rows.row(at).unwrap()))
}

#[test]
fn a_boxed_iterator_is_recorded_too_and_a_bypass_reads_and_keeps_nothing() {
    let scene = Scene::new();
    assert_eq!(boxed(&scene.rows, true).count(), 2);
    assert!(scene.rows.cache.is_empty());
    assert_eq!(
        (
            boxed(&scene.rows, false).count(),
            boxed(&scene.rows, false).count()
        ),
        (2, 2)
    );
    assert_eq!(scene.rows.calls(), 2);
    scene.rows.cache.switch_off(larder::Operations::ALL);
    assert_eq!(boxed(&scene.rows, false).count(), 2);
    assert_eq!(scene.rows.calls(), 3);
}

#[test]
fn the_handle_knows_all_items_at_once() {
    let scene = Scene::new();
    let source = &scene.rows;
    assert_eq!(rows::key(source, 2).as_str(), "rows:2");
    assert_eq!(rows::peek(source, 2).unwrap(), None);
    assert_eq!(rows(source, 2).count(), 2);
    assert_eq!(*rows::peek(source, 2).unwrap().unwrap(), [0, 1]);
    source.change(|state| state.edition = 1);
    assert_eq!(*rows::refresh(source, 2), [100, 101]);
    assert_eq!(rows(source, 2).collect::<Vec<_>>(), [100, 101]);
    assert_eq!(rows::uncached(source, 2).count(), 2);
    assert_eq!(source.calls(), 3);
    assert_eq!(rows::explain(source, 2).unwrap().key, "rows:2");
    assert!(rows::put(source, 2, vec![7].into()).is_ok());
    assert_eq!(rows(source, 2).collect::<Vec<_>>(), [7]);
    assert!(rows::invalidate(source, 2).unwrap());
    assert_eq!(rows::stats().function, "cached_stream::iterators::rows");
}

#[derive(Clone, Debug)]
struct Report {
    rows: Rows,
}

impl Report {
    #[cached_stream(key = "report", ttl = "1m", stale = "1h", tags = ["reports"], cache = self.rows.cache)]
    fn lines(&self) -> impl Iterator<Item = Result<u64, Oops>> {
        self.rows.start();
        (0..2).map(|at| self.rows.row(at))
    }

    #[invalidates(self.lines())]
    fn change(&self) {}
}

#[test]
fn a_method_is_recorded_and_reloaded_behind() {
    let scene = Scene::new();
    let report = Report {
        rows: scene.rows.clone(),
    };
    assert_eq!(report.lines().collect::<Vec<_>>(), [Ok(0), Ok(1)]);
    scene.world.advance(secs(60));
    scene.rows.change(|state| state.edition = 1);
    assert_eq!(report.lines().collect::<Vec<_>>(), [Ok(0), Ok(1)]);
    scene.world.settle();
    assert_eq!(report.lines().collect::<Vec<_>>(), [Ok(100), Ok(101)]);
    assert_eq!(scene.rows.calls(), 2);
    report.change();
    assert_eq!(report.lines_cache().peek().unwrap(), None);
    assert_eq!(*report.lines_cache().refresh().unwrap(), [100, 101]);
    scene
        .rows
        .cache
        .blocking()
        .delete_tags(["reports"])
        .unwrap();
    assert_eq!(report.lines_cache().peek().unwrap(), None);
}

#[cached_stream(key = "chosen:{count}", ttl_with = |rows| secs(10 * rows.len() as u64), when = |rows| rows.iter().all(|row| *row < 5), cache = rows.cache)]
fn chosen(rows: &Rows, count: u64) -> impl Iterator<Item = u64> {
    rows.start();
    0..count
}

#[test]
fn all_items_together_decide_whether_and_for_how_long_they_are_kept() {
    let scene = Scene::new();
    assert_eq!(
        (
            chosen(&scene.rows, 9).count(),
            chosen(&scene.rows, 9).count()
        ),
        (9, 9)
    );
    assert_eq!(scene.rows.calls(), 2);
    assert_eq!(chosen(&scene.rows, 2).count(), 2);
    scene.world.advance(secs(20) - Duration::from_nanos(1));
    assert_eq!(chosen(&scene.rows, 2).count(), 2);
    assert_eq!(scene.rows.calls(), 3);
    scene.world.advance(Duration::from_nanos(1));
    assert_eq!(chosen(&scene.rows, 2).count(), 2);
    assert_eq!(scene.rows.calls(), 4);
}

#[test]
fn the_time_of_an_entry_begins_at_the_end_of_its_recording() {
    let scene = Scene::new();
    let mut reading = rows(&scene.rows, 2);
    reading.next();
    scene.world.clock_on(secs(300));
    assert_eq!(reading.count(), 1);
    scene.world.clock_on(secs(59));
    assert_eq!(rows(&scene.rows, 2).count(), 2);
    assert_eq!(scene.rows.calls(), 1);
}

#[test]
fn of_many_threads_one_asks_the_source_and_the_others_replay() {
    let rows_of = Rows::over(&Cache::builder().build().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(rows(&rows_of, 1000).count(), 1000));
        }
    });
    assert_eq!(rows_of.calls(), 1);
}

#[test]
fn of_a_recording_that_was_not_stored_no_time_is_told() {
    let scene = Scene::new();
    let remaining = |between: &dyn Fn()| {
        let ((), reads) = larder::detect(|| {
            let mut rows = rows(&scene.rows, 3);
            assert_eq!(rows.next(), Some(0));
            between();
            assert_eq!(rows.count(), 2);
        });
        let loaded = |read: &&larder::Read| read.source == larder::Source::Loaded;
        reads.iter().find(loaded).unwrap().remaining
    };
    let delete = || assert!(!scene.rows.cache.blocking().delete("rows:3").unwrap());
    assert_eq!(remaining(&delete), None);
    assert!(remaining(&|| ()).is_some());
}
