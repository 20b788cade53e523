//! Every way in which a value is asked for, each with the check of what it was given.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use larder::__private::{
    AsResult, Hit, KeyBuf, Mode, Plan, Settle, Site, Ticket, error_cloner, fill_behind,
    fill_sync_behind, hit,
};
use larder::Cacheable;
use larder::runtime::BoxFuture;

use crate::log::{Errors, What};
use crate::polled::Marked;
use crate::scene::{Boom, Scene, Value, name};
use crate::source::{Joined, load, load_sync};

/// Which call it is, and what holds for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// The outermost call: the one that a panic belongs to.
    pub(crate) call: u64,
    /// This very call.
    pub(crate) id: u64,
    /// The key that its tags come from.
    pub(crate) key: usize,
    pub(crate) depth: u8,
    pub(crate) scope: Scoped,
    pub(crate) is_batch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scoped {
    Not,
    WithoutReads,
    WithoutWrites,
    WithoutAll,
    Forgetting,
}

impl Context {
    pub(crate) fn inner(self) -> Self {
        Self {
            depth: self.depth + 1,
            is_batch: false,
            ..self
        }
    }

    fn joins(self, at: u64) -> Joined {
        match self.scope {
            Scoped::WithoutReads | Scoped::WithoutAll => Joined::Alone,
            _ => Joined::At(at),
        }
    }
}

/// A call from its begin to its end, however it ends.
struct Asking {
    scene: Arc<Scene>,
    begin: u64,
    asked: u64,
    keys: Vec<usize>,
}

impl Asking {
    fn begin(scene: &Arc<Scene>, context: &mut Context, keys: &[usize], errors: Errors) -> Self {
        let begin = scene.log().begins(keys, errors);
        context.id = begin;
        context.key = keys[0];
        Self {
            scene: Arc::clone(scene),
            begin,
            asked: scene.now(),
            keys: keys.to_vec(),
        }
    }

    /// One look into the cache.
    fn looks(&self, context: Context, key: usize) {
        let mut log = self.scene.log();
        log.lookups += 1;
        if context.scope == Scoped::Forgetting {
            let from = log.tick();
            log.forget(What::Key(key), from);
        }
    }

    fn given(&self, value: &Value) {
        self.scene
            .say(|| format!("was given {} of {}", value.read, name(value.key)));
        self.scene.log().given(value, self.begin, self.asked);
    }

    fn ended(&self, answer: &Result<Value, Boom>) {
        match answer {
            Ok(value) => self.given(value),
            Err(boom) => self.refused(boom),
        }
    }

    fn refused(&self, boom: &Boom) {
        self.scene.log().refused(boom, self.begin, &self.keys);
    }

    fn ended_with(&self, error: &larder::Error) {
        if let Some(boom) = error.source_as::<Boom>() {
            self.refused(boom);
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.scene.log().ends(self.begin);
    }
}

fn site() -> &'static Site {
    static SITE: Site = Site::new("simulated", "{key}");
    &SITE
}

pub(crate) fn rendered(scene: &Scene, key: usize) -> KeyBuf {
    let mut rendered = KeyBuf::of(&scene.cache, 0);
    rendered.literal(name(key));
    rendered
}

pub(crate) fn prepare(scene: &Scene, key: usize, plan: &mut Plan<Boom>) {
    let declared = &scene.plans[key];
    plan.policy(declared.policy);
    plan.refuse_late();
    for tag in declared.tags_of_arguments(key) {
        plan.tag(tag);
    }
    if declared.share_errors {
        plan.share_errors(error_cloner!(AsResult, Result<Value, Boom>));
    }
}

pub(crate) fn settle(scene: &Scene, key: usize, settle: &mut Settle<'_, Value, Boom>) {
    let declared = &scene.plans[key];
    settle.when(|value| declared.keeps(value.read));
    settle.tags_with(|value| declared.tags_of_value(value.read));
    if let Some(ttl) = declared.errors {
        settle.errors(ttl);
    }
}

/// A cached async function, as the attribute expands it.
pub(crate) fn cached(
    scene: Arc<Scene>,
    mut context: Context,
    key: usize,
) -> BoxFuture<'static, Result<Value, Boom>> {
    Box::pin(async move {
        let asking = Asking::begin(&scene, &mut context, &[key], Errors::Own);
        asking.looks(context, key);
        let answer = match look(&scene, key) {
            Hit::Value(answer) => answer,
            Hit::Refresh(answer, ticket) => {
                reload(&scene, key, ticket);
                answer
            }
            Hit::Miss => filled(&scene, context, key, Mode::Foreground, None).await,
        };
        asking.ended(&answer);
        answer
    })
}

fn look(scene: &Scene, key: usize) -> Hit<Result<Value, Boom>> {
    hit::<AsResult, Result<Value, Boom>>(&scene.cache, site(), &rendered(scene, key))
}

fn reload(scene: &Arc<Scene>, key: usize, ticket: Ticket) {
    let (scene, joined) = (Arc::clone(scene), scene.log().tick());
    scene.say(|| format!("starts a reload of {}", name(key)));
    let context = Context {
        call: 0,
        id: 0,
        key,
        depth: 0,
        scope: Scoped::Not,
        is_batch: false,
    };
    if scene.chance().one_in(3) {
        ticket.run_blocking(move |_, mode| {
            drop(filled_sync(&scene, context, key, mode, Some(joined)));
        });
        return;
    }
    ticket.run(move |_, mode| {
        let marked = Arc::clone(&scene);
        Marked::new(marked, 0, false, async move {
            drop(filled(&scene, context, key, mode, Some(joined)).await);
        })
    });
}

/// Fills a key; `joined` is when its flight was joined, if not just now.
async fn filled(
    scene: &Arc<Scene>,
    context: Context,
    key: usize,
    mode: Mode,
    joined: Option<u64>,
) -> Result<Value, Boom> {
    let is_flight = !matches!(mode, Mode::Put);
    let own = Arc::clone(scene);
    fill_behind::<AsResult, Result<Value, Boom>, _, _, _, _, _>(
        &scene.cache,
        site(),
        rendered(scene, key),
        mode,
        |plan| prepare(scene, key, plan),
        || {
            let joined = joined.unwrap_or_else(|| scene.log().tick());
            let joined = match is_flight {
                true => context.joins(joined),
                false => Joined::Alone,
            };
            let scene = Arc::clone(scene);
            async move {
                let loaded = load(scene, context, vec![key], Errors::Own, joined);
                Ok(loaded.await?.remove(0))
            }
        },
        |settling| settle(scene, key, settling),
        // The caller's own load, which it may leave.
        |ticket| {
            let joined = joined_now(&own);
            ticket.run(move |_, mode| {
                let marked = Arc::clone(&own);
                Marked::new(marked, context.call, false, async move {
                    boxed(&own, context, key, mode, joined).await
                })
            });
        },
    )
    .await
}

/// The tick of a flight whose load begins elsewhere: what happens from now on comes after it.
fn joined_now(scene: &Scene) -> u64 {
    let joined = scene.log().tick();
    scene.log().tick();
    joined
}

/// A future that may hold itself.
fn boxed(
    scene: &Arc<Scene>,
    context: Context,
    key: usize,
    mode: Mode,
    joined: u64,
) -> BoxFuture<'_, Result<Value, Boom>> {
    Box::pin(filled(scene, context, key, mode, Some(joined)))
}

/// A cached sync function, as the attribute expands it.
pub(crate) fn cached_sync(
    scene: &Arc<Scene>,
    mut context: Context,
    key: usize,
) -> Result<Value, Boom> {
    let asking = Asking::begin(scene, &mut context, &[key], Errors::Own);
    asking.looks(context, key);
    let answer = match look(scene, key) {
        Hit::Value(answer) => answer,
        Hit::Refresh(answer, ticket) => {
            reload(scene, key, ticket);
            answer
        }
        Hit::Miss => filled_sync(scene, context, key, Mode::Foreground, None),
    };
    asking.ended(&answer);
    answer
}

fn filled_sync(
    scene: &Arc<Scene>,
    context: Context,
    key: usize,
    mode: Mode,
    joined: Option<u64>,
) -> Result<Value, Boom> {
    let own = Arc::clone(scene);
    fill_sync_behind::<AsResult, Result<Value, Boom>, _, _, _, _>(
        &scene.cache,
        site(),
        rendered(scene, key),
        mode,
        |plan| prepare(scene, key, plan),
        || {
            let joined = joined.unwrap_or_else(|| scene.log().tick());
            load_sync(scene, context, key, &context.joins(joined))
        },
        |settling| settle(scene, key, settling),
        |ticket| {
            let joined = Some(joined_now(&own));
            ticket.run_blocking(move |_, mode| filled_sync(&own, context, key, mode, joined));
        },
    )
}

/// `#[cache_put]`: when it ends well, nothing that was read before its own read is served to who asks later.
pub(crate) async fn put(scene: Arc<Scene>, mut context: Context, key: usize) {
    let asking = Asking::begin(&scene, &mut context, &[key], Errors::Own);
    let answer = filled(&scene, context, key, Mode::Put, None).await;
    if let Ok(value) = &answer {
        let mut log = scene.log();
        log.forget(What::Key(key), value.read);
    }
    asking.ended(&answer);
}

/// A handle's `refresh`: the same, if it was stored.
pub(crate) async fn refresh(scene: Arc<Scene>, mut context: Context, key: usize) {
    let asking = Asking::begin(&scene, &mut context, &[key], Errors::Own);
    let from = {
        let mut log = scene.log();
        let from = log.tick();
        log.displace(What::Key(key));
        from
    };
    let answer = filled(&scene, context, key, Mode::Refresh, None).await;
    let mut log = scene.log();
    if answer.is_ok() && log.has_just_stored(key) {
        log.forget(What::Key(key), from);
    }
    drop(log);
    asking.ended(&answer);
}

pub(crate) async fn get_or_load(scene: Arc<Scene>, mut context: Context, key: usize) {
    let asking = Asking::begin(&scene, &mut context, &[key], Errors::Larder);
    asking.looks(context, key);
    let plan = &scene.plans[key];
    let source = || {
        let joined = context.joins(scene.log().tick());
        let scene = Arc::clone(&scene);
        async move {
            let loaded = load(scene, context, vec![key], Errors::Larder, joined);
            Ok::<_, Boom>(loaded.await?.remove(0))
        }
    };
    let asked = scene.cache.get_or_load(name(key), source);
    match asked
        .policy(plan.policy)
        .tags(plan.tags_of_arguments(key))
        .await
    {
        Ok(value) => asking.given(&value),
        Err(error) => asking.ended_with(&error),
    }
}

pub(crate) async fn get_or_load_many(scene: Arc<Scene>, mut context: Context, keys: Vec<usize>) {
    context.is_batch = true;
    let asking = Asking::begin(&scene, &mut context, &keys, Errors::Larder);
    for key in keys.iter().collect::<BTreeSet<_>>() {
        asking.looks(context, *key);
    }
    let plan = &scene.plans[keys[0]];
    let source = |wanted: Vec<String>| {
        let wanted: Vec<usize> = wanted.iter().map(|name| crate::scene::key(name)).collect();
        let joined = context.joins(scene.log().tick());
        batch(Arc::clone(&scene), context, wanted, keys[0], joined)
    };
    let names = keys.iter().map(|key| name(*key));
    let asked = scene.cache.get_or_load_many(names, source);
    let tags = plan.tags_of_arguments(keys[0]);
    match asked.policy(plan.policy).tags(tags).await {
        Ok(found) => found.values().for_each(|value| asking.given(value)),
        Err(error) => asking.ended_with(&error),
    }
}

async fn batch(
    scene: Arc<Scene>,
    context: Context,
    wanted: Vec<usize>,
    first: usize,
    joined: Joined,
) -> Result<HashMap<String, Value>, Boom> {
    let loaded = load(Arc::clone(&scene), context, wanted, Errors::Larder, joined);
    let mut loaded = loaded.await?;
    if scene.chance().one_in(8) {
        loaded.pop();
        // Nothing was loaded for a key without an answer.
        scene.log().loads -= 1;
    }
    let plan = &scene.plans[first];
    let declared = loaded.into_iter().map(|value| {
        let value = Value {
            keep: plan.keep,
            serve: plan.serve,
            tags: plan.tags_of_arguments(first),
            ..value
        };
        (name(value.key).to_owned(), value)
    });
    Ok(declared.collect())
}

pub(crate) async fn get(scene: Arc<Scene>, mut context: Context, key: usize) {
    let asking = Asking::begin(&scene, &mut context, &[key], Errors::Larder);
    asking.looks(context, key);
    if let Ok(Some(value)) = scene.cache.get::<Value>(name(key)).await {
        asking.given(&value);
    }
}

pub(crate) async fn peek(scene: Arc<Scene>, mut context: Context, key: usize) {
    fn is_cacheable<V: Cacheable>() {}
    is_cacheable::<Value>();
    let asking = Asking::begin(&scene, &mut context, &[key], Errors::Own);
    let peeked = larder::__private::peek::<AsResult, Result<Value, Boom>>(
        &scene.cache,
        rendered(&scene, key),
        larder::Wire::local::<Value>(),
    );
    if let Ok(Some(value)) = peeked.await {
        asking.given(&value);
    }
}
