//! What knobs, switches and scopes mean for streams.

use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use larder::{cached_stream, scope};

use crate::source::{Rows, Scene};
use crate::support::{Oops, secs};

#[cached_stream(key = "{rows.name:crate::policies::same}:{count}", ttl = "1m", stale = "1h", tags = ["count:{count}"], cache = rows.rows.cache)]
fn stale(rows: Named, count: u64) -> impl Stream<Item = Result<u64, Oops>> + Send {
    rows.rows.start();
    stream::iter(0..count).then(move |at| {
        let rows = rows.rows.clone();
        async move {
            rows.pass(at).await;
            rows.row(at)
        }
    })
}

#[derive(Clone, Debug)]
struct Named {
    rows: Rows,
    name: &'static str,
}

fn same(name: &&'static str) -> &'static str {
    name
}

impl Named {
    fn new(scene: &Scene) -> Self {
        Self {
            rows: scene.rows.clone(),
            name: "named",
        }
    }
}

#[test]
fn a_stale_stream_is_replayed_at_once_and_recorded_anew_behind() {
    let scene = Scene::new();
    let source = Named::new(&scene);
    let read = || {
        stale(source.clone(), 2)
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    };
    assert_eq!(scene.world.run(read()), [0, 1]);
    scene.world.advance(secs(60));
    scene.rows.change(|state| state.edition = 1);
    let gate = scene.rows.hold(1);
    assert_eq!(scene.world.run(read()), [0, 1]);
    assert_eq!(scene.world.run(read()), [0, 1], "while it is recorded anew");
    gate.open();
    scene.world.settle();
    assert_eq!(scene.world.run(read()), [100, 101]);
    assert_eq!((scene.rows.calls(), scene.world.loads()), (2, 1));
}

#[cached_stream(key = "grown", ttl = "1m", stale = "1h", max_items = 3, cache = rows.cache)]
fn grown(rows: Rows) -> impl Stream<Item = u64> + Send {
    rows.start();
    stream::iter(0..rows.edition())
}

#[test]
fn a_recording_behind_that_is_too_long_leaves_what_is_kept() {
    let scene = Scene::new();
    let source = scene.rows.clone();
    source.change(|state| state.edition = 3);
    let read = || scene.world.run(grown(source.clone()).collect::<Vec<_>>());
    assert_eq!(read(), [0, 1, 2]);
    scene.world.advance(secs(60));
    source.change(|state| state.edition = 4);
    assert_eq!(read(), [0, 1, 2]);
    scene.world.settle();
    assert_eq!(source.calls(), 2, "it was read anew");
    assert!(scene.log.take().join(" ").contains("TooLong"));
    assert_eq!(read(), [0, 1, 2]);
    scene.world.settle();
    source.change(|state| state.edition = 2);
    assert_eq!(read(), [0, 1, 2]);
    scene.world.settle();
    assert_eq!(read(), [0, 1], "what fits again is kept");
}

#[test]
fn a_refresh_gives_what_is_too_long_and_keeps_it_not() {
    let scene = Scene::new();
    let source = scene.rows.clone();
    source.change(|state| state.edition = 4);
    let refreshed = source.clone();
    let got = scene
        .world
        .run(async move { grown::refresh(refreshed).await });
    assert_eq!(*got, [0, 1, 2, 3]);
    assert!(source.cache.is_empty());
    assert!(scene.log.take().join(" ").contains("TooLong"));
    let put = source.clone();
    let kept = scene
        .world
        .run(async move { grown::put(put, vec![7; 5].into()).await });
    assert!(kept.is_ok());
    let got = scene.world.run(grown(source.clone()).collect::<Vec<_>>());
    assert_eq!(got, [7; 5], "who puts it means it");
}

/// What a recording of so many rows weighs that was made by a reader, by a refresh and by hand.
fn weights(rows: u64) -> [u64; 3] {
    let scene = Scene::new();
    let cache = larder::Cache::builder().weight("1mb").build().unwrap();
    let source = Rows::over(&cache);
    source.change(|state| state.edition = rows);
    scene.world.run(grown(source.clone()).count());
    let recorded = cache.weight();
    let refreshed = source.clone();
    scene
        .world
        .run(async move { grown::refresh(refreshed).await });
    let refreshed = cache.weight();
    let items = vec![7; rows as usize].into();
    let put = async move { grown::put(source, items).await };
    assert!(scene.world.run(put).is_ok());
    [recorded, refreshed, cache.weight()]
}

#[test]
fn all_items_weigh_however_they_came() {
    let [one, three] = [1, 3].map(weights);
    assert_eq!(three.map(|weight| weight - one[0]), [16; 3]);
    assert_eq!(one, [one[0]; 3]);
}

#[test]
fn a_recording_behind_that_meets_an_error_leaves_what_is_kept() {
    let scene = Scene::new();
    let source = Named::new(&scene);
    let read = || {
        stale(source.clone(), 2)
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    };
    assert_eq!(scene.world.run(read()), [0, 1]);
    scene.world.advance(secs(60));
    scene.rows.change(|state| state.fails_at = Some(1));
    for _ in 0..3 {
        assert_eq!(scene.world.run(read()), [0, 1]);
    }
    assert_eq!(scene.log.count("refresh failed named:2"), 1);
}

#[test]
fn a_tag_that_is_forgotten_forgets_the_recording() {
    let scene = Scene::new();
    let source = Named::new(&scene);
    assert_eq!(scene.world.run(stale(source.clone(), 2).count()), 2);
    scene
        .rows
        .cache
        .blocking()
        .delete_tags(["count:2"])
        .unwrap();
    assert_eq!(scene.world.run(stale(source.clone(), 2).count()), 2);
    assert_eq!(scene.rows.calls(), 2);
    let peeked = scene.world.run(async move { stale::peek(source, 2).await });
    assert_eq!(*peeked.unwrap().unwrap(), [0, 1]);
}

#[cached_stream(key = "pinned", ttl = "1m", cache = rows.cache)]
fn pinned(rows: &Rows) -> Pin<Box<dyn Stream<Item = u64> + Send + '_>> {
    rows.start();
    Box::pin(stream::iter(0..2).map(|at| rows.row(at).unwrap()))
}

#[test]
fn a_pinned_stream_is_recorded_too() {
    let scene = Scene::new();
    for _ in 0..2 {
        let source = scene.rows.clone();
        assert_eq!(
            scene
                .world
                .run(async move { pinned(&source).count().await }),
            2
        );
    }
    assert_eq!(scene.rows.calls(), 1);
}

#[test]
fn in_a_scope_that_invalidates_further_a_stream_is_recorded_anew() {
    let scene = Scene::new();
    let source = Named::new(&scene);
    assert_eq!(scene.world.run(stale(source.clone(), 2).count()), 2);
    let again = scope()
        .invalidate_further()
        .wrap(stale(source.clone(), 2).count());
    assert_eq!(scene.world.run(again), 2);
    assert_eq!(scene.rows.calls(), 2);
}

#[test]
fn a_stream_under_another_key_is_recorded_and_replayed_there() {
    let scene = Scene::new();
    let source = Named::new(&scene);
    let read = || {
        stale(source.clone(), 2)
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    };
    scene.rows.change(|state| state.edition = 1);
    let preview = || scope().key("preview").wrap(read());
    assert_eq!(scene.world.run(preview()), [100, 101]);
    scene.rows.change(|state| state.edition = 2);
    assert_eq!(
        scene.world.run(read()),
        [200, 201],
        "nobody else is served it"
    );
    assert_eq!(scene.world.run(preview()), [100, 101]);
    assert_eq!(scene.world.run(read()), [200, 201]);
    assert_eq!(scene.rows.calls(), 2);
}

#[test]
fn a_stale_stream_under_another_key_is_recorded_anew_there() {
    let scene = Scene::new();
    let source = Named::new(&scene);
    let read = || {
        stale(source.clone(), 2)
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    };
    let preview = || scope().key("preview").wrap(read());
    assert_eq!(scene.world.run(preview()), [0, 1]);
    scene.world.advance(secs(60));
    scene.rows.change(|state| state.edition = 1);
    assert_eq!(scene.world.run(preview()), [0, 1]);
    scene.world.settle();
    assert_eq!(scene.world.run(preview()), [100, 101]);
    assert_eq!(scene.rows.calls(), 2);
    let blocking = scene.rows.cache.blocking();
    assert!(!blocking.exists("named:2").unwrap());
}
