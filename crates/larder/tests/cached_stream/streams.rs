//! Functions that return a stream: who records, and who waits.

use futures_util::{Stream, StreamExt, stream};
use larder::cached_stream;

use crate::source::{Rows, Scene};
use crate::support::{Oops, Running, millis, secs};

#[cached_stream(key = "rows:{count}", ttl = "1m", cache = rows.cache)]
fn rows(rows: &Rows, count: u64) -> impl Stream<Item = u64> {
    rows.start();
    stream::iter(0..count).then(move |at| async move {
        rows.pass(at).await;
        rows.row(at).unwrap()
    })
}

/// Starts to read a stream to its end.
fn read(scene: &Scene, count: u64) -> Running<Vec<u64>> {
    let source = scene.rows.clone();
    let running = scene
        .world
        .spawn(async move { rows(&source, count).collect::<Vec<_>>().await });
    scene.world.settle();
    running
}

#[test]
fn a_stream_is_recorded_while_it_is_read_and_replayed_afterwards() {
    let scene = Scene::new();
    assert_eq!(read(&scene, 3).value(), [0, 1, 2]);
    assert_eq!(read(&scene, 3).value(), [0, 1, 2]);
    assert_eq!(read(&scene, 0).value(), [0; 0]);
    assert_eq!(read(&scene, 0).value(), [0; 0]);
    assert_eq!(scene.rows.calls(), 2);
}

#[test]
fn who_comes_while_a_stream_is_recorded_waits_and_does_not_ask_the_source() {
    let scene = Scene::new();
    let gate = scene.rows.hold(1);
    let leader = read(&scene, 3);
    let followers: Vec<_> = (0..5).map(|_| read(&scene, 3)).collect();
    assert!(followers.iter().all(|follower| !follower.is_done()));
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value(), [0, 1, 2]);
    assert!(
        followers
            .iter()
            .all(|follower| follower.value() == [0, 1, 2])
    );
    assert_eq!(scene.rows.calls(), 1);
}

#[test]
fn a_recorder_that_is_dropped_hands_over_to_one_who_waits() {
    let scene = Scene::new();
    let _gate = scene.rows.hold(1);
    let leader = read(&scene, 3);
    let followers: Vec<_> = (0..3).map(|_| read(&scene, 3)).collect();
    scene.rows.flow();
    leader.cancel();
    scene.world.settle();
    assert!(
        followers
            .iter()
            .all(|follower| follower.value() == [0, 1, 2])
    );
    assert_eq!(
        scene.rows.calls(),
        2,
        "one of them records anew, the others replay"
    );
    assert_eq!(scene.rows.cache.stats().stored, 1);
}

#[test]
fn a_slow_source_is_waited_for_as_long_as_the_policy_says() {
    let scene = Scene::new();
    let gate = scene.rows.hold(1);
    let leader = read(&scene, 2);
    let follower = read(&scene, 2);
    scene.world.advance(secs(29));
    assert!(!follower.is_done(), "the source is slow, not the consumer");
    gate.open();
    scene.world.settle();
    assert_eq!((leader.value(), follower.value()), (vec![0, 1], vec![0, 1]));
    assert_eq!(scene.rows.calls(), 1);
}

#[cached_stream(key = "safe", ttl = "1m", fail_safe = "1d", wait = "2s", cache = rows.cache)]
fn safe(rows: Rows) -> impl Stream<Item = u64> + Send {
    rows.start();
    stream::iter(0..2).then(move |at| {
        let rows = rows.clone();
        async move {
            rows.pass(at).await;
            rows.row(at).unwrap()
        }
    })
}

#[test]
fn who_waits_too_long_is_given_a_recording_that_is_kept_for_failures() {
    let scene = Scene::new();
    let read = || {
        let source = scene.rows.clone();
        let read = async move { safe(source).collect::<Vec<_>>().await };
        let running = scene.world.spawn(read);
        scene.world.settle();
        running
    };
    assert_eq!(read().value(), [0, 1]);
    scene.world.advance(secs(60));
    scene.rows.change(|state| state.edition = 1);
    let gate = scene.rows.hold(1);
    let leader = read();
    let follower = read();
    scene.world.advance(secs(2));
    assert_eq!(follower.value(), [0, 1]);
    assert_eq!(scene.rows.calls(), 2, "the source is asked by one");
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value(), [100, 101]);
}

#[test]
fn a_consumer_that_stalls_keeps_nobody_waiting_for_long() {
    let scene = Scene::new();
    let source = scene.rows.clone();
    let mut stalled = Box::pin(rows(&source, 3));
    assert_eq!(
        futures_util::FutureExt::now_or_never(stalled.next()),
        Some(Some(0))
    );
    let follower = read(&scene, 3);
    scene.world.advance(secs(1) - millis(1));
    assert!(!follower.is_done());
    scene.world.advance(secs(1));
    assert_eq!(follower.value(), [0, 1, 2]);
    assert_eq!(scene.log.count("waited too long rows:3"), 1);
    assert_eq!(
        read(&scene, 3).value(),
        [0, 1, 2],
        "what the other recorded is kept"
    );
    assert_eq!(scene.rows.calls(), 2);
    assert_eq!(
        futures_util::FutureExt::now_or_never(stalled.collect::<Vec<_>>()),
        Some(vec![1, 2])
    );
}

#[test]
fn what_is_invalidated_while_it_is_recorded_is_not_kept_and_not_given_to_who_comes_later() {
    let scene = Scene::new();
    let gate = scene.rows.hold(1);
    let leader = read(&scene, 2);
    scene.rows.cache.blocking().delete("rows:2").unwrap();
    scene.rows.flow();
    scene.rows.change(|state| state.edition = 1);
    assert_eq!(read(&scene, 2).value(), [100, 101]);
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value()[0], 0, "the reader goes on with what it has");
    assert_eq!(read(&scene, 2).value(), [100, 101]);
    assert_eq!(scene.rows.calls(), 2);
}

#[test]
fn a_stream_that_asks_for_itself_is_noticed() {
    let scene = Scene::new();
    #[cached_stream(key = "circle", ttl = "1m", cache = rows.cache)]
    fn circle(rows: Rows, depth: u64) -> futures_util::stream::BoxStream<'static, u64> {
        rows.start();
        stream::once(async move {
            match depth {
                0 => 1,
                _ => circle(rows, depth - 1).collect::<Vec<_>>().await[0] + 1,
            }
        })
        .boxed()
    }
    let source = scene.rows.clone();
    let got = scene.world.run(circle(source, 1).collect::<Vec<_>>());
    assert_eq!(got, [2]);
    assert_eq!(scene.log.count("recursion circle"), 1);
}

#[cached_stream(key = "lines:{count}", ttl = "1m", cache = rows.cache)]
fn lines(rows: Rows, count: u64) -> impl Stream<Item = Result<u64, Oops>> + Send {
    rows.start();
    stream::iter(0..count).map(move |at| rows.row(at))
}

#[test]
fn an_error_ends_the_recording_and_who_waits_asks_anew() {
    let scene = Scene::new();
    scene.rows.change(|state| state.fails_at = Some(2));
    let source = scene.rows.clone();
    let got = scene
        .world
        .run(lines(source.clone(), 3).collect::<Vec<_>>());
    assert_eq!(got, [Ok(0), Ok(1), Err(Oops("row unreadable"))]);
    source.change(|state| state.fails_at = None);
    let got = scene
        .world
        .run(lines(source.clone(), 3).collect::<Vec<_>>());
    assert_eq!(got, [Ok(0), Ok(1), Ok(2)]);
    assert_eq!(scene.world.run(lines(source.clone(), 3).count()), 3);
    assert_eq!(source.calls(), 2);
}

#[test]
fn a_panic_in_the_middle_hands_over_to_who_waits() {
    let scene = Scene::new();
    scene.rows.change(|state| state.panics_at = Some(1));
    let gate = scene.rows.hold(1);
    let leader = read(&scene, 3);
    let follower = read(&scene, 3);
    // The leader breaks on the way on; who waits asks a source that is whole again.
    let mend = scene.rows.clone();
    gate.open();
    let breaking = scene
        .world
        .spawn(async move { mend.change(|state| state.edition = 2) });
    scene.world.settle();
    breaking.value();
    assert_eq!(leader.panic(), "the source is broken");
    assert_eq!(
        follower.panic(),
        "the source is broken",
        "it was asked anew"
    );
    scene.rows.change(|state| state.panics_at = None);
    assert_eq!(read(&scene, 3).value(), [200, 201, 202]);
}
