//! Writes and invalidations from outside, each acknowledged or not.

use larder::__private::{self as private, AsResult};

use crate::call::{Call, Context, site};
use crate::log::{By, What};
use crate::plan::TAGS;
use crate::scene::{Boom, How, Value, name};
use crate::source::value;

/// A change on its way, until it is acknowledged, fails or is given up.
struct Changing<'a> {
    call: &'a Call,
    parting: u64,
    by: By,
    what: What,
}

impl<'a> Changing<'a> {
    fn begin(call: &'a Call, by: By, what: What) -> Self {
        let parting = call.scene.log().parts(call.context.node, what.clone());
        Self {
            call,
            parting,
            by,
            what,
        }
    }

    fn acknowledged(self) {
        let Context { node, begin, .. } = self.call.context;
        let now = self.call.scene.now();
        let mut log = self.call.scene.log();
        log.forget(self.what.clone(), self.by, node, begin, now);
        let tick = log.tick();
        log.ended.insert(begin, tick);
        drop(log);
        self.call
            .scene
            .say(|| format!("node {node}, {begin}: acknowledged {:?}", self.what));
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.call.scene.log().parted(self.parting);
    }
}

impl Call {
    /// A write from outside is final: what was loaded earlier is not served to who asks later.
    pub(crate) async fn set(self) {
        let (key, scene) = (self.context.key, &self.scene);
        let plan = &scene.plans[key];
        let tags = plan.tags_of_arguments(key);
        let written = Value {
            tags: tags.clone(),
            ..value(scene, self.context, key, self.context.begin, How::Set)
        };
        let changing = Changing::begin(&self, By::Write, What::Key(key));
        let cache = &self.node.cache;
        let set = cache.set(name(key), &written).policy(plan.policy);
        let set = set.tags(tags);
        let set = match scene.chance().below(4) {
            0 => set.if_absent(),
            1 => set.if_present(),
            _ => set,
        };
        if matches!(set.await, Ok(true)) {
            changing.acknowledged();
        }
    }

    /// A handle's `put`.
    pub(crate) async fn put_value(self) {
        let (key, scene) = (self.context.key, &self.scene);
        let written = value(scene, self.context, key, self.context.begin, How::Set);
        let changing = Changing::begin(&self, By::Write, What::Key(key));
        let put = private::put::<AsResult, Result<Value, Boom>>(
            &self.node.cache,
            site(),
            self.rendered(),
            |plan| self.prepare(plan),
            |settling| self.settle(settling),
            written,
        );
        if put.await.is_ok() {
            changing.acknowledged();
        }
    }

    pub(crate) async fn set_many(self) {
        let (key, scene) = (self.context.key, &self.scene);
        let plan = &scene.plans[key];
        let tags = plan.tags_of_arguments(key);
        let written = Value {
            tags: tags.clone(),
            ..value(scene, self.context, key, self.context.begin, How::Set)
        };
        let changing = Changing::begin(&self, By::Write, What::Key(key));
        let entries = [(name(key), written)];
        let set = self.node.cache.set_many(entries).policy(plan.policy);
        if matches!(set.tags(tags).await, Ok(1)) {
            changing.acknowledged();
        }
    }

    pub(crate) async fn touch(self) {
        let ttl = self.scene.chance().millis(&[10, 50]);
        self.scene.log().touched.insert(self.context.key);
        drop(self.node.cache.touch(name(self.context.key), ttl).await);
    }

    pub(crate) async fn increment(self) {
        self.scene.log().attempted += 1;
        let adding = self.node.cache.increment("counter", 1).ttl("forever");
        if adding.await.is_ok() {
            self.scene.log().added += 1;
        }
    }

    pub(crate) async fn forget(self) {
        let (key, cache) = (self.context.key, &self.node.cache);
        let chance = self.scene.chance();
        let begin = |what| Changing::begin(&self, By::Invalidation, what);
        let (changing, done) = match chance.below(9) {
            0 => (begin(What::Key(key)), cache.delete(name(key)).await.is_ok()),
            1 => (
                begin(What::Key(key)),
                cache.delete_many([name(key)]).await.is_ok(),
            ),
            2 => {
                let changing = begin(What::Key(key));
                let done = private::invalidate(cache, self.rendered()).await.is_ok();
                (changing, done)
            }
            3 => {
                let changing = begin(What::Group(key / 2));
                (changing, cache.delete_prefix(&name(key)[..2]).await.is_ok())
            }
            4 => {
                let changing = begin(What::Group(key / 2));
                let pattern = format!("{}:?", &name(key)[..1]);
                (changing, cache.delete_pattern(pattern).await.is_ok())
            }
            5..8 => {
                let tag = chance.of(&TAGS);
                let changing = begin(What::Tag(tag.to_owned()));
                (changing, cache.delete_tags([tag]).await.is_ok())
            }
            _ => {
                let changing = begin(What::All);
                let groups = ["a:", "b:"];
                let mut done = true;
                for group in groups {
                    done &= cache.delete_prefix(group).await.is_ok();
                }
                (changing, done)
            }
        };
        if done {
            changing.acknowledged();
        }
    }
}
