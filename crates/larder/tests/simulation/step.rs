//! What a task does: random calls, writes and invalidations, each to its end or not.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use larder::__private as private;
use larder::__private::AsResult;
use larder::testing::{UnderWay, under_way, yield_now};
use larder::{Operations, Scope};

use crate::call::{
    Context, Scoped, cached, cached_sync, get, get_or_load, get_or_load_many, peek, prepare, put,
    refresh, rendered, settle,
};
use crate::log::What;
use crate::plan::{TAGS, nanos};
use crate::polled::{Ended, Ending, Marked};
use crate::scene::{Blast, Boom, Scene, Value, name};
use crate::source::value;

/// No load and no wait of these schedules comes near it: a call that takes longer has lost a wake-up.
const LONGEST: u64 = 20_000_000_000;

/// Runs one schedule; what went wrong, if anything.
pub(crate) fn run(simulation: &larder::testing::Simulation) -> Vec<String> {
    let scene = Scene::new(simulation);
    let tasks = 3 + scene.chance().below(5);
    for _ in 0..tasks {
        let scene = Arc::clone(&scene);
        scene.simulation.clone().spawn(async move {
            let steps = 2 + scene.chance().below(7);
            for _ in 0..steps {
                step(&scene).await;
            }
        });
    }
    let ran = scene.simulation.try_run();
    let mut log = scene.log();
    match ran {
        Err(stuck) => log.fail(stuck.to_string()),
        Ok(()) => log.at_rest(),
    }
    let stats = scene.cache.stats();
    let looked = stats.hits() + stats.misses;
    if looked != log.lookups {
        let lookups = log.lookups;
        log.fail(format!("{lookups} lookups, but {looked} hits and misses"));
    }
    if stats.loads != log.loads {
        let loads = log.loads;
        log.fail(format!("{loads} loads, but {} counted", stats.loads));
    }
    if under_way(&scene.cache) != UnderWay::default() {
        log.fail(format!("{:?} after the end", under_way(&scene.cache)));
    }
    if let (Some(trace), false) = (&log.trace, log.violations.is_empty()) {
        trace.iter().for_each(|line| println!("{line}"));
    }
    std::mem::take(&mut log.violations)
}

async fn step(scene: &Arc<Scene>) {
    match scene.chance().below(5) {
        0 => {
            let time = scene.chance().millis(&[1, 5, 15, 40]);
            scene.simulation.sleep(time).await;
        }
        1 => yield_now().await,
        _ => {}
    }
    let call = scene.log().tick();
    let (future, batch) = choose(scene, call);
    let began = scene.now();
    let polls = scene.chance().one_in(7);
    let polls = polls.then(|| 1 + scene.chance().below(4));
    let ending = Ending {
        future: Some(future),
        polls,
    };
    let ended = Marked::new(Arc::clone(scene), call, batch, ending).await;
    let took = scene.now() - began;
    for key in 0..scene.plans.len() {
        let stored = private::peek::<AsResult, Result<Value, Boom>>(
            &scene.cache,
            rendered(scene, key),
            larder::Wire::local::<Value>(),
        );
        if let Ok(Some(value)) = stored.await {
            scene.log().seen(&value);
        }
    }
    let mut log = scene.log();
    if took > LONGEST {
        log.fail(format!("call {call} took {:?}", Duration::from_nanos(took)));
    }
    if let Ended::Panicked(panic) = ended
        && panic.downcast_ref::<Blast>().is_none_or(|b| b.call != call)
    {
        let blast = panic.downcast_ref::<Blast>();
        log.fail(format!("call {call} was given a panic of {blast:?}"));
    }
}

type Chosen = larder::runtime::BoxFuture<'static, ()>;

fn choose(scene: &Arc<Scene>, call: u64) -> (Chosen, bool) {
    let chance = scene.chance();
    let key = chance.below(scene.plans.len());
    let mut context = Context {
        call,
        id: call,
        key,
        depth: 0,
        scope: Scoped::Not,
        is_batch: false,
    };
    let what = chance.below(24);
    if what < 14 && chance.one_in(12) {
        context.scope = chance.of(&[
            Scoped::WithoutReads,
            Scoped::WithoutWrites,
            Scoped::WithoutAll,
            Scoped::Forgetting,
        ]);
    }
    let own = Arc::clone(scene);
    let future: Chosen = match what {
        0..6 => Box::pin(async move { drop(cached(own, context, key).await) }),
        6 | 7 => Box::pin(on_thread(own, context, key)),
        8..11 => Box::pin(get_or_load(own, context, key)),
        11..13 => {
            let count = 1 + chance.below(3);
            let others = (0..count).map(|_| chance.below(scene.plans.len()));
            // A batch has one set of tags: those of every other key.
            let keys = others.filter(|other| other % 2 == key % 2);
            Box::pin(get_or_load_many(
                own,
                context,
                [key].into_iter().chain(keys).collect(),
            ))
        }
        13 => Box::pin(get(own, context, key)),
        14 => Box::pin(peek(own, context, key)),
        15 => Box::pin(put(own, context, key)),
        16 => Box::pin(refresh(own, context, key)),
        17 => Box::pin(set(own, key)),
        18 => Box::pin(put_value(own, key)),
        19 => Box::pin(touch(own, key)),
        _ => Box::pin(forget(own, key)),
    };
    let future: Chosen = match scope(context.scope) {
        Some(scope) => Box::pin(scope.wrap(future)),
        None => future,
    };
    scene.say(|| format!("{call} begins, {what} on {key}, {:?}", context.scope));
    (future, (11..13).contains(&what))
}

fn scope(scope: Scoped) -> Option<Scope> {
    Some(match scope {
        Scoped::Not => return None,
        Scoped::WithoutReads => larder::scope().off(Operations::READ),
        Scoped::WithoutWrites => larder::scope().off(Operations::WRITE),
        Scoped::WithoutAll => larder::scope().off(Operations::ALL),
        Scoped::Forgetting => larder::scope().invalidate_further(),
    })
}

fn enter(scoped: Scoped, run: impl FnOnce()) {
    match scope(scoped) {
        Some(scope) => scope.run(run),
        None => run(),
    }
}

/// A cached sync function on a thread of its own, which goes on when its caller does not.
async fn on_thread(scene: Arc<Scene>, context: Context, key: usize) {
    let simulation = scene.simulation.clone();
    let run = move || {
        let run = AssertUnwindSafe(|| {
            enter(context.scope, || drop(cached_sync(&scene, context, key)));
        });
        catch_unwind(run).err()
    };
    if let Some(panic) = simulation.spawn_blocking(run).await.flatten() {
        resume_unwind(panic);
    }
}

/// A write from outside is final: older reads are not served to who asks later.
async fn set(scene: Arc<Scene>, key: usize) {
    let read = scene.log().tick();
    let plan = &scene.plans[key];
    let written = Value {
        tags: plan.tags_of_arguments(key),
        ..value(&scene, key, read)
    };
    let set = scene.cache.set(name(key), &written).policy(plan.policy);
    let set = set.tags(plan.tags_of_arguments(key));
    let set = match scene.chance().below(4) {
        0 => set.if_absent(),
        1 => set.if_present(),
        _ => set,
    };
    if set.await.expect("a set with a good policy") {
        scene.say(|| format!("wrote {}", name(key)));
        scene.log().forget(What::Key(key), read);
    }
}

/// A handle's `put`.
async fn put_value(scene: Arc<Scene>, key: usize) {
    let read = scene.log().tick();
    let put = private::put::<AsResult, Result<Value, Boom>>(
        &scene.cache,
        site(),
        rendered(&scene, key),
        |plan| prepare(&scene, key, plan),
        |settling| settle(&scene, key, settling),
        value(&scene, key, read),
    );
    put.await.expect("a put with a good policy");
    scene.say(|| format!("put {}", name(key)));
    scene.log().forget(What::Key(key), read);
}

fn site() -> &'static private::Site {
    static SITE: private::Site = private::Site::new("put", "{key}");
    &SITE
}

async fn touch(scene: Arc<Scene>, key: usize) {
    let ttl = scene.chance().millis(&[10, 50]);
    let now = scene.now();
    if scene
        .cache
        .touch(name(key), ttl)
        .await
        .expect("a touch with a good ttl")
    {
        scene.say(|| format!("touched {}", name(key)));
        scene.log().touch(key, now + nanos(ttl));
    }
}

async fn forget(scene: Arc<Scene>, key: usize) {
    let cache = &scene.cache;
    let from = scene.log().tick();
    let what = match scene.chance().below(9) {
        0 => {
            cache.delete(name(key)).await.unwrap();
            What::Key(key)
        }
        1 => {
            cache.delete_many([name(key)]).await.unwrap();
            What::Key(key)
        }
        2 => {
            let rendered = rendered(&scene, key);
            private::invalidate(cache, rendered).await.unwrap();
            What::Key(key)
        }
        3 => {
            cache.delete_prefix(&name(key)[..2]).await.unwrap();
            What::Group(key / 2)
        }
        4 => {
            let pattern = format!("{}:?", &name(key)[..1]);
            cache.delete_pattern(pattern).await.unwrap();
            What::Group(key / 2)
        }
        5..8 => {
            let tag = scene.chance().of(&TAGS);
            cache.delete_tags([tag]).await.unwrap();
            What::Tag(tag.to_owned())
        }
        _ => {
            cache.clear().await.unwrap();
            What::All
        }
    };
    scene.say(|| format!("forgot {what:?}"));
    scene.log().forget(what, from);
}
