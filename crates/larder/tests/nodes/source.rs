//! The source of truth: what it gives, how long it takes, how it fails.

use std::sync::Arc;

use larder::testing::yield_now;

use crate::call::Context;
use crate::scene::{Blast, Boom, How, Scene, Value};

/// The loads of one call of the source, noted as running while it lives.
struct Loading {
    scene: Arc<Scene>,
    ids: Vec<u64>,
}

impl Loading {
    fn begin(scene: &Arc<Scene>, context: Context, keys: &[usize]) -> Self {
        let mut ids = Vec::new();
        if context.is_flight {
            let mut log = scene.log();
            for key in keys {
                // A batch has the tags of its first key.
                let tags = scene.plans[keys[0]].tags_of_arguments(*key);
                ids.push(log.load_begins(context.node, *key, context.begin, &tags));
            }
        }
        scene.say(|| format!("node {} loads {keys:?} for {}", context.node, context.begin));
        Self {
            scene: Arc::clone(scene),
            ids,
        }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        let mut log = self.scene.log();
        for id in &self.ids {
            log.load_ends(*id);
        }
    }
}

async fn pause(scene: &Scene) {
    match scene.chance().below(5) {
        0 | 1 => {}
        2 => yield_now().await,
        3 => {
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
) -> Result<Vec<Value>, Boom> {
    let _loading = Loading::begin(&scene, context, &keys);
    pause(&scene).await;
    let read = scene.log().tick();
    scene.say(|| format!("node {} reads {keys:?}", context.node));
    pause(&scene).await;
    let chance = scene.chance();
    if scene.failing && chance.one_in(20) {
        excuse(&scene, context, &keys);
        scene.say(|| format!("node {} panics over {keys:?}", context.node));
        std::panic::resume_unwind(Box::new(Blast));
    }
    if scene.failing && chance.one_in(5) {
        excuse(&scene, context, &keys);
        scene.say(|| format!("node {} fails over {keys:?}", context.node));
        return Err(Boom);
    }
    let how = match context.is_put {
        true => How::Put,
        false => How::Load,
    };
    let value = |key: &usize| value(&scene, context, *key, read, how);
    Ok(keys.iter().map(value).collect())
}

/// Of a load that fails not everybody can share the failure.
fn excuse(scene: &Scene, context: Context, keys: &[usize]) {
    let mut log = scene.log();
    log.excused
        .extend(keys.iter().map(|key| (context.node, *key)));
}

/// What is read of a key at `read`.
pub(crate) fn value(scene: &Scene, context: Context, key: usize, read: u64, how: How) -> Value {
    let plan = &scene.plans[context.key];
    Value {
        key,
        read,
        begun: context.begin,
        done: scene.log().tick(),
        returned: scene.now(),
        keep: plan.keep,
        tags: match context.has_tags_of_values {
            true => plan.tags(key, read),
            false => plan.tags_of_arguments(key),
        },
        how,
    }
}
