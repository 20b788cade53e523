//! Every way in which a value is asked for, each with the check of what it was given.

use std::collections::HashMap;
use std::sync::Arc;

use larder::__private::{
    self as private, AsResult, Hit, KeyBuf, Mode, Plan, Settle, Site, Ticket, error_cloner,
    fill_behind, fill_sync_behind, hit,
};
use larder::Wire;

use crate::judge::Asker;
use crate::log::By;
use crate::log::What;
use crate::scene::{Boom, Node, Scene, Value, name};
use crate::source::load;

/// Which call it is, and what holds for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) node: usize,
    pub(crate) bound: u64,
    /// The tick and the virtual time at which it began.
    pub(crate) begin: u64,
    pub(crate) asked: u64,
    /// The key whose plan holds.
    pub(crate) key: usize,
    pub(crate) is_flight: bool,
    pub(crate) is_put: bool,
    pub(crate) has_tags_of_values: bool,
}

/// A call on a node.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) scene: Arc<Scene>,
    pub(crate) node: Node,
    pub(crate) context: Context,
}

type Answer = Result<Value, Boom>;

pub(crate) fn site() -> &'static Site {
    static SITE: Site = Site::new("simulated", "{key}");
    &SITE
}

impl Call {
    pub(crate) fn new(scene: &Arc<Scene>, node: &Node, key: usize) -> Self {
        let context = Context {
            node: node.number,
            bound: node.bound,
            begin: scene.log().tick(),
            asked: scene.now(),
            key,
            is_flight: true,
            is_put: false,
            has_tags_of_values: true,
        };
        Self {
            scene: Arc::clone(scene),
            node: node.clone(),
            context,
        }
    }

    fn given(&self, value: &Value) {
        let Context {
            node,
            bound,
            begin,
            asked,
            ..
        } = self.context;
        let asker = Asker {
            node,
            begin,
            asked,
            bound,
        };
        self.scene.say(|| {
            format!(
                "node {node}, {begin}: given {} of {}",
                value.read, value.key
            )
        });
        self.scene.log().given(value, asker, self.scene.stormy);
    }

    pub(crate) fn rendered(&self) -> KeyBuf {
        let mut rendered = KeyBuf::of(&self.node.cache, 0);
        rendered.literal(name(self.context.key));
        rendered
    }

    pub(crate) fn prepare(&self, plan: &mut Plan<Boom>) {
        let key = self.context.key;
        let declared = &self.scene.plans[key];
        plan.policy(declared.policy);
        plan.wire(Wire::of::<Value>());
        for tag in declared.tags_of_arguments(key) {
            plan.tag(tag);
        }
        if declared.share_errors {
            plan.share_errors(error_cloner!(AsResult, Answer));
        }
    }

    pub(crate) fn settle(&self, settle: &mut Settle<'_, Value, Boom>) {
        let declared = &self.scene.plans[self.context.key];
        settle.when(|value| declared.keeps(value.read));
        settle.tags_with(|value| declared.tags_of_value(value.read));
        if let Some(ttl) = declared.errors {
            settle.errors(ttl);
        }
    }

    /// A cached async function, as the attribute expands it.
    pub(crate) async fn cached(self) {
        let answer = match hit::<AsResult, Answer>(&self.node.cache, site(), &self.rendered()) {
            Hit::Value(answer) => answer,
            Hit::Refresh(answer, ticket) => {
                self.reload(ticket);
                answer
            }
            Hit::Miss => self.filled(Mode::Foreground).await,
        };
        if let Ok(value) = answer {
            self.given(&value);
        }
    }

    fn reload(&self, ticket: Ticket) {
        let mut call = self.clone();
        call.context.begin = self.scene.log().tick();
        if self.scene.chance().one_in(3) {
            ticket.run_blocking(move |_, mode| drop(call.filled_sync(mode)));
            return;
        }
        ticket.run(move |_, mode| async move { drop(call.filled(mode).await) });
    }

    async fn source(&self) -> Answer {
        let keys = vec![self.context.key];
        let loaded = load(Arc::clone(&self.scene), self.context, keys).await;
        Ok(loaded?.remove(0))
    }

    async fn filled(&self, mode: Mode) -> Answer {
        fill_behind::<AsResult, Answer, _, _, _, _, _>(
            &self.node.cache,
            site(),
            self.rendered(),
            mode,
            |plan| self.prepare(plan),
            || self.source(),
            |settling| self.settle(settling),
            |ticket| self.reload(ticket),
        )
        .await
    }

    fn filled_sync(&self, mode: Mode) -> Answer {
        fill_sync_behind::<AsResult, Answer, _, _, _, _>(
            &self.node.cache,
            site(),
            self.rendered(),
            mode,
            |plan| self.prepare(plan),
            || private::wait(self.source()),
            |settling| self.settle(settling),
            |ticket| self.reload(ticket),
        )
    }

    /// A cached sync function, as the attribute expands it.
    pub(crate) fn cached_sync(&self) {
        let answer = match hit::<AsResult, Answer>(&self.node.cache, site(), &self.rendered()) {
            Hit::Value(answer) => answer,
            Hit::Refresh(answer, ticket) => {
                self.reload(ticket);
                answer
            }
            Hit::Miss => self.filled_sync(Mode::Foreground),
        };
        if let Ok(value) = answer {
            self.given(&value);
        }
    }

    /// `#[cache_put]`.
    pub(crate) async fn put(mut self) {
        (self.context.is_flight, self.context.is_put) = (false, true);
        let Context {
            node, key, begin, ..
        } = self.context;
        let parting = self.scene.log().parts(node, What::Key(key));
        let answer = self.filled(Mode::Put).await;
        let now = self.scene.now();
        let mut log = self.scene.log();
        log.parted(parting);
        let tick = log.tick();
        log.ended.insert(begin, tick);
        if let (Ok(value), false) = (&answer, self.scene.stormy) {
            log.forget(What::Key(key), By::Write, node, value.read, now);
        }
        drop(log);
        if let Ok(value) = answer {
            self.given(&value);
        }
    }

    /// A handle's `refresh`.
    pub(crate) async fn refresh(self) {
        let Context { node, key, .. } = self.context;
        let parting = self.scene.log().parts(node, What::Key(key));
        let refreshed = self.filled(Mode::Refresh).await;
        self.scene.log().parted(parting);
        if let Ok(value) = refreshed {
            self.given(&value);
        }
    }

    pub(crate) async fn get_or_load(mut self) {
        self.context.has_tags_of_values = false;
        let plan = &self.scene.plans[self.context.key];
        let source = || self.source();
        let asked = self
            .node
            .cache
            .get_or_load(name(self.context.key), source)
            .policy(plan.policy)
            .tags(plan.tags_of_arguments(self.context.key));
        if let Ok(value) = asked.await {
            self.given(&value);
        }
    }

    pub(crate) async fn get_or_load_many(mut self, keys: Vec<usize>) {
        self.context.has_tags_of_values = false;
        let plan = &self.scene.plans[self.context.key];
        let source = |wanted: Vec<String>| {
            let wanted = wanted.iter().map(|name| crate::scene::key(name));
            let loading = load(Arc::clone(&self.scene), self.context, wanted.collect());
            async {
                let named = |value: Value| (name(value.key).to_owned(), value);
                let loaded = loading.await?.into_iter().map(named);
                Ok::<HashMap<String, Value>, Boom>(loaded.collect())
            }
        };
        let asked = self
            .node
            .cache
            .get_or_load_many(keys.iter().map(|key| name(*key)), source)
            .policy(plan.policy)
            .tags(plan.tags_of_arguments(self.context.key));
        if let Ok(found) = asked.await {
            found.values().for_each(|value| self.given(value));
        }
    }

    pub(crate) async fn get(self, keys: Vec<usize>) {
        let cache = &self.node.cache;
        let found = match keys[..] {
            [key] => cache.get::<Value>(name(key)).await.map(|one| vec![one]),
            _ => {
                cache
                    .get_many::<Value>(keys.iter().map(|key| name(*key)))
                    .await
            }
        };
        for value in found.into_iter().flatten().flatten() {
            self.given(&value);
        }
    }

    pub(crate) async fn peek(self) {
        let wire = Wire::of::<Value>();
        let peeked =
            private::peek::<AsResult, Answer>(&self.node.cache, self.rendered(), wire).await;
        if let Ok(Some(value)) = peeked {
            self.given(&value);
        }
    }
}
