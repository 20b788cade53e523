//! A source of truth that is slow, fails, panics, asks for other keys, and is sometimes left in the middle.

use std::sync::Arc;

use larder::testing::yield_now;

use crate::call::{Context, Scoped, cached, cached_sync};
use crate::log::Errors;
use crate::polled::Marked;
use crate::scene::{Blast, Boom, Scene, Value};

/// How a load takes part in the flights of its keys.
pub(crate) enum Joined {
    /// As the leader since this tick.
    At(u64),
    /// Not at all.
    Alone,
}

/// The loads of one call of the source, noted as running while it lives.
pub(crate) struct Loading {
    scene: Arc<Scene>,
    ids: Vec<u64>,
    keys: Vec<usize>,
    begun: u64,
    is_counted: bool,
    ended_well: bool,
}

impl Loading {
    pub(crate) fn begin(
        scene: &Arc<Scene>,
        context: Context,
        keys: &[usize],
        joined: &Joined,
    ) -> Self {
        let joined = match joined {
            Joined::At(tick) => Some(*tick),
            Joined::Alone => None,
        };
        // A batch has the tags of its first key.
        let tags = scene.plans[context.key].tags_of_arguments(context.key);
        let mut log = scene.log();
        let begun = joined.unwrap_or_else(|| log.tick());
        // A single load is not the engine's when all is off, or when it is a part of a load of the same key.
        let is_plain = context.scope == Scoped::WithoutAll || log.is_past(keys[0], joined);
        let is_counted = context.is_batch || !is_plain;
        let ids = keys
            .iter()
            .filter_map(|key| log.load_begins(*key, context.id, joined, &tags))
            .collect();
        drop(log);
        scene.say(|| format!("loads {keys:?}"));
        Self {
            scene: Arc::clone(scene),
            ids,
            keys: keys.to_vec(),
            begun,
            is_counted,
            ended_well: false,
        }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        let mut log = self.scene.log();
        for id in &self.ids {
            log.load_ends(*id);
        }
        if !self.ended_well {
            self.keys.iter().for_each(|key| log.excuse(*key));
        }
    }
}

async fn pause(scene: &Scene) {
    match scene.chance().below(6) {
        0 | 1 => {}
        2 | 3 => yield_now().await,
        4 => {
            let time = scene.chance().millis(&[1, 4, 12]);
            scene.simulation.sleep(time).await;
        }
        _ => {
            let time = scene.chance().millis(&[30, 70]);
            scene.simulation.sleep(time).await;
        }
    }
}

/// One call of the source for these keys.
pub(crate) async fn load(
    scene: Arc<Scene>,
    context: Context,
    keys: Vec<usize>,
    errors: Errors,
    joined: Joined,
) -> Result<Vec<Value>, Boom> {
    let mut loading = Loading::begin(&scene, context, &keys, &joined);
    pause(&scene).await;
    if context.depth < 2
        && scene.chance().one_in(10)
        && let Some(other) = scene.other_than(&keys)
    {
        let inner = cached(Arc::clone(&scene), context.inner(), other);
        drop(Marked::new(Arc::clone(&scene), context.call, false, inner).await);
    }
    let read = scene.log().tick();
    scene.say(|| format!("reads {keys:?}"));
    pause(&scene).await;
    loading.outcome(context, read, errors)
}

/// The same on a thread that blocks.
pub(crate) fn load_sync(
    scene: &Arc<Scene>,
    context: Context,
    key: usize,
    joined: &Joined,
) -> Result<Value, Boom> {
    let mut loading = Loading::begin(scene, context, &[key], joined);
    larder::__private::wait(pause(scene));
    if context.depth < 2
        && scene.chance().one_in(10)
        && let Some(other) = scene.other_than(&[key])
    {
        drop(cached_sync(scene, context.inner(), other));
    }
    let read = scene.log().tick();
    larder::__private::wait(pause(scene));
    let values = loading.outcome(context, read, Errors::Own)?;
    Ok(values.into_iter().next().expect("one key, one value"))
}

impl Loading {
    fn outcome(&mut self, context: Context, read: u64, errors: Errors) -> Result<Vec<Value>, Boom> {
        let (scene, keys) = (&self.scene, &self.keys);
        let chance = scene.chance();
        if chance.one_in(25) {
            scene.say(|| format!("panics over {keys:?}"));
            std::panic::resume_unwind(Box::new(Blast { call: context.call }));
        }
        if self.is_counted {
            scene.log().loads += keys.len() as u64;
        }
        if chance.one_in(6) {
            scene.say(|| format!("fails {keys:?}"));
            let mut log = scene.log();
            keys.iter().for_each(|key| log.failed(*key, errors));
            let key = keys[0];
            return Err(Boom {
                keys: keys.clone(),
                read,
                tags: scene.plans[key].tags_of_arguments(key),
            });
        }
        scene.say(|| format!("returns {keys:?}"));
        self.ended_well = true;
        let values = keys.iter().map(|key| Value {
            begun: self.begun,
            tags: match errors {
                Errors::Own => scene.plans[*key].tags(*key, read),
                // The direct operations know no tags of values.
                Errors::Larder => scene.plans[*key].tags_of_arguments(*key),
            },
            ..value(scene, *key, read)
        });
        Ok(values.collect())
    }
}

/// What the source gives for a key, read at `read`.
pub(crate) fn value(scene: &Scene, key: usize, read: u64) -> Value {
    let plan = &scene.plans[key];
    Value {
        key,
        read,
        returned: scene.now(),
        keep: plan.keep,
        serve: plan.serve,
        tags: plan.tags(key, read),
        begun: read,
        done: scene.log().tick(),
    }
}
