//! A cached function written by hand, as the attribute expands it.

use std::sync::Arc;

use larder::__private::{
    AsResult, Hit, KeyBuf, Mode, Plan, Settle, Share, Site, error_cloner, fill, fill_sync, hit,
};
use larder::{Cache, Policy};

use super::{Oops, Origin};

type Prepare = Arc<dyn Fn(&mut Plan<Oops>) + Send + Sync>;
type Decide = Arc<dyn Fn(&mut Settle<'_, u64, Oops>) + Send + Sync>;

/// A cached function of a key over an [`Origin`].
#[derive(Clone)]
pub(crate) struct Cached {
    pub(crate) cache: Cache,
    pub(crate) origin: Origin,
    pub(crate) site: &'static Site,
    policy: Policy,
    prepare: Prepare,
    settle: Decide,
}

impl Cached {
    pub(crate) fn new(cache: &Cache, origin: &Origin, policy: Policy) -> Self {
        Self {
            cache: cache.clone(),
            origin: origin.clone(),
            site: Box::leak(Box::new(Site::new("tests::cached", "{key}"))),
            policy,
            prepare: Arc::new(|_| {}),
            settle: Arc::new(|_| {}),
        }
    }

    /// What the attribute says before the load: tags from arguments, knobs that are expressions.
    pub(crate) fn prepare(
        mut self,
        prepare: impl Fn(&mut Plan<Oops>) + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Arc::new(prepare);
        self
    }

    /// What the attribute says after the load.
    pub(crate) fn settle(
        mut self,
        settle: impl Fn(&mut Settle<'_, u64, Oops>) + Send + Sync + 'static,
    ) -> Self {
        self.settle = Arc::new(settle);
        self
    }

    pub(crate) fn key(&self, key: &str) -> KeyBuf {
        let mut buf = KeyBuf::of(&self.cache, 0);
        buf.literal(key);
        buf
    }

    /// The async function.
    pub(crate) async fn call(self, key: &'static str) -> Result<u64, Oops> {
        let buf = self.key(key);
        match hit::<AsResult, Result<u64, Oops>>(&self.cache, self.site, &buf) {
            Hit::Value(output) => return output,
            Hit::Refresh(output, ticket) => {
                let owned = self.clone();
                ticket.run(move |_, mode| async move {
                    drop(owned.fill(key, mode).await);
                });
                return output;
            }
            Hit::Miss => {}
        }
        self.fill(key, Mode::Foreground).await
    }

    /// The sync function.
    pub(crate) fn call_sync(&self, key: &'static str) -> Result<u64, Oops> {
        let buf = self.key(key);
        match hit::<AsResult, Result<u64, Oops>>(&self.cache, self.site, &buf) {
            Hit::Value(output) => return output,
            Hit::Refresh(output, ticket) => {
                let owned = self.clone();
                ticket.run_blocking(move |_, mode| drop(owned.fill_sync(key, mode)));
                return output;
            }
            Hit::Miss => {}
        }
        self.fill_sync(key, Mode::Foreground)
    }

    /// The handle's `refresh`.
    pub(crate) async fn refresh(self, key: &'static str) -> Result<u64, Oops> {
        self.fill(key, Mode::Refresh).await
    }

    /// The function with `#[cache_put]` in place of `#[cached]`.
    pub(crate) async fn put(self, key: &'static str) -> Result<u64, Oops> {
        self.fill(key, Mode::Put).await
    }

    async fn fill(self, key: &'static str, mode: Mode) -> Result<u64, Oops> {
        let buf = self.key(key);
        fill::<AsResult, Result<u64, Oops>, _, _, _, _>(
            &self.cache,
            self.site,
            buf,
            mode,
            |plan| self.plan(plan),
            || self.origin.call(),
            |settle| (self.settle)(settle),
        )
        .await
    }

    fn fill_sync(&self, key: &'static str, mode: Mode) -> Result<u64, Oops> {
        fill_sync::<AsResult, Result<u64, Oops>, _, _, _>(
            &self.cache,
            self.site,
            self.key(key),
            mode,
            |plan| self.plan(plan),
            || self.origin.call_now(),
            |settle| (self.settle)(settle),
        )
    }

    fn plan(&self, plan: &mut Plan<Oops>) {
        plan.policy(self.policy);
        plan.share_errors(error_cloner!(AsResult, Result<u64, Oops>));
        (self.prepare)(plan);
    }
}
