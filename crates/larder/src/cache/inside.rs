//! What operations do in a scope that keeps changes to itself: they see these, and add to them.

use std::sync::Arc;

use super::{Cache, Inner, When};
use crate::entry::Slot;
use crate::error::Result;
use crate::key::Key;
use crate::middleware::{Action, Intended, Outcome};
use crate::overlay::{self, Ambient, Forgotten, Kept, Reading};
use crate::scope;
use crate::selector::Selector;
use crate::switch::Operations;

impl Inner {
    /// What lies over this cache here and now, if anything does.
    pub(crate) fn ambient(self: &Arc<Self>) -> Option<Ambient> {
        let settings = scope::current()?;
        if settings.layers.is_empty() {
            return None;
        }
        let cache = Cache::of(Arc::clone(self));
        overlay::ambient(&settings.layers, &cache)
    }

    /// What lies over this cache and keeps writes.
    pub(crate) fn ambient_transaction(self: &Arc<Self>) -> Option<Ambient> {
        self.ambient()
            .filter(|ambient| ambient.transaction().is_some())
    }

    /// What memory holds and those inside see.
    pub(crate) fn visible_here(&self, ambient: &Ambient, key: &Key) -> Option<Slot> {
        ambient.decide(key).unwrap_or_else(|| {
            let base = self.memory.peek(key).filter(|slot| self.is_alive(slot));
            ambient.through(key, base)
        })
    }

    /// The entry that those inside see; one of the store without its value, unless it is a number.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn visible(&self, ambient: &Ambient, key: &Key) -> Result<Option<Slot>> {
        if let Some(slot) = ambient.decide(key) {
            return Ok(slot);
        }
        let base = self.beneath(key, ambient.reading()).await?;
        Ok(ambient.through(key, base))
    }

    /// The entry that the cache itself holds, as [`visible`](Self::visible) gives it.
    async fn beneath(&self, key: &Key, reading: Reading) -> Result<Option<Slot>> {
        let here = self.memory.peek(key).filter(|slot| self.is_alive(slot));
        let Some(outside) = &self.outside else {
            return Ok(here);
        };
        if here.is_some() && reading == Reading::Copies {
            return Ok(here);
        }
        let found = self.explain_outside(outside, key).await?;
        let standing = found.filter(|(_, forgotten)| forgotten.is_empty());
        // What never leaves the process is no copy.
        let here = here.filter(|_| !outside.keeps_copies());
        Ok(standing.map(|(slot, _)| slot).or(here))
    }

    /// Keeps a write for the commit; false when `when` or a switch left it out.
    ///
    /// # Errors
    /// What the store says when it is asked whether the key is there; what a lock says.
    pub(crate) async fn write_inside(
        self: &Arc<Self>,
        ambient: &Ambient,
        key: &Key,
        when: When,
        kept: Kept,
    ) -> Result<bool> {
        if self.is_off(Operations::WRITE) {
            return Ok(false);
        }
        ambient.lock(key).await?;
        if when != When::Always {
            let found = self.visible(ambient, key).await?;
            let served = found.filter(|slot| self.is_current(slot));
            if !when.allows(served.as_ref()) {
                return Ok(false);
            }
        }
        if let Some(outside) = self.outside_for(&kept.wire) {
            // What cannot be turned into bytes is refused here, where it can be mended, and not at the commit.
            self.check_encoding(outside, key, &kept)?;
        }
        ambient.write(key, kept);
        Ok(true)
    }

    /// Whether an entry that is seen inside is served: what was written inside stands whatever others forget.
    pub(crate) fn is_current(&self, slot: &Slot) -> bool {
        use crate::policy::Verdict::{Fresh, Refresh};
        let verdict = slot.verdict(self.clock.now());
        matches!(verdict, Fresh | Refresh) && !slot.is_failure()
    }

    /// Removes a key inside; whether an entry was there to be seen. `None` when the scope has ended meanwhile.
    ///
    /// # Errors
    /// What a lock says.
    pub(crate) async fn forget_key_inside(
        &self,
        ambient: &Ambient,
        key: &Key,
    ) -> Result<Option<bool>> {
        if self.is_off(Operations::REMOVE) {
            return Ok(Some(false));
        }
        ambient.lock(key).await?;
        let were = self.count_visible(ambient, std::slice::from_ref(key)).await;
        Ok(ambient.remove(key).then_some(were > 0))
    }

    /// [`forget_key_inside`](Self::forget_key_inside) for several keys; how many entries were there to be seen.
    ///
    /// # Errors
    /// What a lock says.
    pub(crate) async fn forget_keys_inside(
        &self,
        ambient: &Ambient,
        keys: &[Key],
    ) -> Result<Option<usize>> {
        if self.is_off(Operations::REMOVE) {
            return Ok(Some(0));
        }
        for key in keys {
            ambient.lock(key).await?;
        }
        let were = self.count_visible(ambient, keys).await;
        let removed = keys.iter().all(|key| ambient.remove(key));
        Ok(removed.then_some(were))
    }

    /// Removes what a selector of all but keys means inside; how many entries were there to be seen, as far as memory and this scope know. `None` when the scope has
    /// ended meanwhile.
    pub(crate) fn forget_inside(&self, ambient: &Ambient, selector: &Selector) -> Option<usize> {
        if self.is_off(Operations::REMOVE) {
            return Some(0);
        }
        let were = match selector {
            Selector::Tags(_) => 0,
            others => {
                let kept = self.kept_selector(others);
                let covered = |key: &Key| {
                    key.as_str().starts_with(&*self.prefix)
                        && overlay::covers(&kept, self.bare(key.as_str()))
                };
                let mut keys = self.memory.matching(|key, _| covered(key));
                keys.extend(ambient.keys().into_iter().filter(covered));
                keys.sort_unstable();
                keys.dedup();
                let seen = |key: &&Key| self.sees(ambient, key);
                keys.iter().filter(seen).count()
            }
        };
        ambient.forget(selector).then_some(were)
    }

    /// Removes inside, for whoever cannot wait: no lock is taken and nothing counted. False when nobody inside keeps it.
    pub(crate) fn forget_inside_at_once(self: &Arc<Self>, forgotten: &Forgotten) -> bool {
        let Some(ambient) = self.ambient() else {
            return false;
        };
        let forget = |intended: Intended, forget: &dyn Fn() -> bool| {
            let Some(mut forgetting) = self.begin(|| intended) else {
                return true;
            };
            let is_kept = self.is_off(Operations::REMOVE) || forget();
            forgetting.end(Outcome::of(is_kept));
            is_kept
        };
        match forgotten {
            Forgotten::Keys(keys) => keys.iter().all(|key| {
                let intended = Intended::key(Action::Delete, self.bare(key.as_str()));
                forget(intended, &|| ambient.remove(key))
            }),
            Forgotten::Selected(selector) => {
                forget(Intended::selected(selector), &|| ambient.forget(selector))
            }
        }
    }

    fn sees(&self, ambient: &Ambient, key: &Key) -> bool {
        let slot = self.visible_here(ambient, key);
        slot.is_some_and(|slot| slot.keep_until() > self.clock.now())
    }

    /// How many of the keys are seen inside. The store is asked once for those that only it can know; one that fails is told of.
    async fn count_visible(&self, ambient: &Ambient, keys: &[Key]) -> usize {
        let mut count = 0;
        let mut unknown = Vec::new();
        for key in keys {
            if self.sees(ambient, key) {
                count += 1;
            } else if ambient.decide(key).is_none() {
                unknown.push(key.as_str());
            }
        }
        let Some(outside) = self.outside.as_ref().filter(|_| !unknown.is_empty()) else {
            return count;
        };
        match outside.store.remaining(&unknown).await {
            Ok(lives) => count + lives.iter().flatten().count(),
            Err(error) => {
                self.store_failed(outside, unknown[0], &error);
                count
            }
        }
    }
}
