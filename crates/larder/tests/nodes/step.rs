//! What tasks do: random calls, writes and invalidations on random nodes, each to its end or not.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use larder::runtime::BoxFuture;
use larder::testing::{Simulation, UnderWay, under_way, yield_now};

use crate::call::Call;
use crate::log::By;
use crate::log::What;
use crate::scene::{Blast, NAMES, Node, Scene};
use crate::storm;

/// No load and no chain of limits of these schedules comes near it: a call that takes longer waits for what never comes.
const LONGEST: u64 = 5_000_000_000;

/// Runs one schedule; what went wrong, if anything.
pub(crate) fn run(simulation: &Simulation) -> Vec<String> {
    let scene = Scene::new(simulation);
    let mut tasks = Vec::new();
    for place in 0..scene.places() {
        for _ in 0..1 + scene.chance().below(2) {
            tasks.push((place, start(&scene, place)));
        }
    }
    if scene.stormy {
        let scene = Arc::clone(&scene);
        simulation.spawn(storm::rages(Arc::clone(&scene)));
        if scene.chance().one_in(4) {
            simulation.spawn(async move { crashes(&scene, tasks).await });
        }
    }
    let ran = simulation.try_run().and_then(|()| {
        let scene = Arc::clone(&scene);
        simulation.spawn(async move { comes_to_rest(&scene).await });
        simulation.try_run()
    });
    if let Err(stuck) = ran {
        scene.log().fail(stuck.to_string());
    }
    for place in 0..scene.places() {
        let left = under_way(&scene.node(place).cache);
        if left != UnderWay::default() {
            scene.log().fail(format!("{left:?} after the end"));
        }
    }
    let mut log = scene.log();
    if let (Some(trace), false) = (&log.trace, log.violations.is_empty()) {
        trace.iter().for_each(|line| println!("{line}"));
    }
    std::mem::take(&mut log.violations)
}

fn start(scene: &Arc<Scene>, place: usize) -> larder::testing::Spawned<()> {
    let scene = Arc::clone(scene);
    let steps = 2 + scene.chance().below(5);
    scene.simulation.clone().spawn(async move {
        for _ in 0..steps {
            step(&scene, place).await;
        }
    })
}

/// One process ends in the middle of all it does, and another takes its place.
async fn crashes(scene: &Arc<Scene>, tasks: Vec<(usize, larder::testing::Spawned<()>)>) {
    let time = scene.chance().millis(&[5, 40, 90]);
    scene.simulation.sleep(time).await;
    let place = scene.chance().below(scene.places());
    scene.say(|| format!("place {place} crashes"));
    for (at, task) in &tasks {
        if *at == place {
            task.cancel();
        }
    }
    scene.start_again(place);
    drop(start(scene, place));
}

async fn step(scene: &Arc<Scene>, place: usize) {
    match scene.chance().below(4) {
        0 => {
            let time = scene.chance().millis(&[1, 5, 15, 40]);
            scene.simulation.sleep(time).await;
        }
        1 => yield_now().await,
        _ => {}
    }
    let node = scene.node(place);
    let future = choose(scene, &node);
    let began = scene.now();
    let polls = scene.chance().one_in(8);
    let polls = polls.then(|| 1 + scene.chance().below(6));
    let ending = Ending {
        future: Some(future),
        polls,
    };
    let panic = ending.await;
    let took = Duration::from_nanos(scene.now() - began);
    let mut log = scene.log();
    if took > Duration::from_nanos(LONGEST) {
        log.fail(format!("a call took {took:?}"));
    }
    if let Some(panic) = panic
        && !panic.is::<Blast>()
    {
        let text = panic.downcast_ref::<String>().cloned();
        log.fail(format!("a call was given a panic: {text:?}"));
    }
}

fn choose(scene: &Arc<Scene>, node: &Node) -> BoxFuture<'static, ()> {
    let chance = scene.chance();
    let key = chance.below(scene.plans.len());
    let call = Call::new(scene, node, key);
    let what = chance.below(28);
    scene.say(|| {
        let number = node.number;
        format!(
            "node {number}, {}: begins {what} on {key}",
            call.context.begin
        )
    });
    // A batch has one set of tags: those of every other key.
    let some = || {
        let others = (0..chance.below(3)).map(|_| chance.below(scene.plans.len()));
        let others = others.filter(|other| other % 2 == key % 2);
        [key].into_iter().chain(others).collect::<Vec<usize>>()
    };
    match what {
        0..7 => Box::pin(call.cached()),
        7 => Box::pin(on_thread(call)),
        8 | 9 => Box::pin(call.get_or_load()),
        10 | 11 => {
            let keys = some();
            Box::pin(call.get_or_load_many(keys))
        }
        12 => {
            let keys = some();
            Box::pin(call.get(keys))
        }
        13 => Box::pin(call.peek()),
        14 | 15 => Box::pin(call.put()),
        16 => Box::pin(call.refresh()),
        17 => Box::pin(call.set()),
        18 => Box::pin(call.set_many()),
        19 => Box::pin(call.put_value()),
        20 => Box::pin(call.touch()),
        21 => Box::pin(call.increment()),
        _ => Box::pin(call.forget()),
    }
}

/// A cached sync function on a thread of its own, which goes on when its caller does not.
async fn on_thread(call: Call) {
    let simulation = call.scene.simulation.clone();
    let run = move || {
        let run = AssertUnwindSafe(|| call.cached_sync());
        catch_unwind(run).err()
    };
    if let Some(panic) = simulation.spawn_blocking(run).await.flatten() {
        std::panic::resume_unwind(panic);
    }
}

/// Once all is healed: counters add up, and all nodes come to agree.
async fn comes_to_rest(scene: &Arc<Scene>) {
    storm::is_over(scene).await;
    let place = scene.chance().below(scene.places());
    let node = scene.node(place);
    // What arrived late is older than this, wherever it lies.
    let call = Call::new(scene, &node, 0);
    let (from, what) = (call.context.begin, What::All);
    for group in ["a:", "b:"] {
        let cleared = node.cache.delete_prefix(group).await;
        cleared.expect("a store that is well again");
    }
    let now = scene.now();
    scene
        .log()
        .forget(what, By::Invalidation, node.number, from, now);
    counts(scene, &node).await;
    let longest = Duration::from_millis(50);
    scene.simulation.sleep(longest).await;
    for key in 0..scene.plans.len() {
        agree(scene, key).await;
    }
}

async fn counts(scene: &Scene, node: &Node) {
    if scene.doubled || scene.crashed.load(Ordering::Relaxed) {
        return;
    }
    let sum = node.cache.increment("counter", 0).ttl("forever").await;
    let sum = sum.expect("a store that is well again");
    let mut log = scene.log();
    let (added, attempted) = (log.added, log.attempted);
    if !(added..=attempted).contains(&sum) {
        log.fail(format!(
            "counted {sum}: {added} of {attempted} were acknowledged"
        ));
    }
}

/// What one node sets, all are given.
async fn agree(scene: &Arc<Scene>, key: usize) {
    let node = scene.node(0);
    let written = scene.log().tick();
    let set = node.cache.set(NAMES[key], &written).ttl("1h");
    assert!(set.await.expect("a store that is well again"));
    for place in 0..scene.places() {
        let node = scene.node(place);
        let found = node.cache.get::<u64>(NAMES[key]).await;
        let loaded = node.cache.get_or_load(NAMES[key], || async {
            Err::<u64, _>(std::io::Error::other("nothing is to be loaded"))
        });
        let loaded = loaded.ttl("1h").await;
        if !matches!((&found, &loaded), (Ok(Some(f)), Ok(l)) if *f == written && *l == written) {
            let number = node.number;
            scene.log().fail(format!(
                "node {number} has {found:?} and {loaded:?} of {} in place of {written}",
                NAMES[key]
            ));
        }
    }
}

/// A call that is dropped after so many polls, and whose panic is caught.
struct Ending {
    future: Option<BoxFuture<'static, ()>>,
    polls: Option<usize>,
}

impl Future for Ending {
    type Output = Option<Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == Some(0) {
            self.future = None;
            return Poll::Ready(None);
        }
        let future = self.future.as_mut().expect("not polled after its end");
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => {
                if let Some(polls) = &mut self.polls {
                    *polls -= 1;
                    if *polls == 0 {
                        context.waker().wake_by_ref();
                    }
                }
                Poll::Pending
            }
            Ok(Poll::Ready(())) => Poll::Ready(None),
            Err(panic) => {
                self.future = None;
                Poll::Ready(Some(panic))
            }
        }
    }
}
