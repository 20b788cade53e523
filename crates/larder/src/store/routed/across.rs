//! Operations that span several routes.

use super::{DEFAULT, Routed};
use crate::error::{Error, Result};
use crate::runtime::BoxFuture;
use crate::store::wait::join;
use crate::store::{Life, Page, Removal, Scan};

/// The questions of a batch that go to one store, by their places in it.
pub(super) struct Share {
    pub(super) store: usize,
    pub(super) places: Vec<usize>,
}

impl Routed {
    pub(super) fn shares<'k>(&self, keys: impl Iterator<Item = &'k str>) -> Vec<Share> {
        let mut shares: Vec<Share> = Vec::new();
        for (place, key) in keys.enumerate() {
            let store = self.of(key);
            match shares.iter_mut().find(|share| share.store == store) {
                Some(share) => share.places.push(place),
                None => shares.push(Share {
                    store,
                    places: vec![place],
                }),
            }
        }
        shares
    }

    pub(super) async fn remaining_on_routes(&self, keys: &[&str]) -> Result<Vec<Option<Life>>> {
        let shares = self.shares(keys.iter().copied());
        let asked = shares.iter().map(|share| {
            let keys: Vec<&str> = share.places.iter().map(|place| keys[*place]).collect();
            let store = &self.stores[share.store];
            Box::pin(async move { store.remaining(&keys).await }) as BoxFuture<'_, _>
        });
        let mut lives = vec![None; keys.len()];
        for (share, answer) in shares.iter().zip(join(asked.collect()).await) {
            let answer: Vec<Option<Life>> = answer?;
            for (place, life) in share.places.iter().zip(answer) {
                lives[*place] = life;
            }
        }
        Ok(lives)
    }

    /// In all stores that may have such keys, also when one fails.
    pub(super) async fn remove_on_routes(&self, removal: &Removal<'_>) -> Result<u64> {
        let removed = match removal {
            Removal::Keys(keys) => {
                let shares = self.shares(keys.iter().copied());
                let asked = shares.iter().map(|share| {
                    let keys: Vec<&str> = share.places.iter().map(|place| keys[*place]).collect();
                    let store = &self.stores[share.store];
                    let removing = async move { store.remove(&Removal::Keys(&keys)).await };
                    Box::pin(removing) as BoxFuture<'_, _>
                });
                join(asked.collect()).await
            }
            Removal::Prefix(prefix) | Removal::Pattern { prefix, .. } => {
                let stores = self.under(prefix).into_iter();
                let asked = stores.map(|number| self.stores[number].remove(removal));
                join(asked.collect()).await
            }
        };
        removed.into_iter().sum()
    }

    /// In the default store last: its epoch is told, and once it has moved all others have.
    pub(super) async fn forget_on_routes(&self, tags: &[&str]) -> Result<()> {
        let routes = self.stores[DEFAULT + 1..].iter();
        let forgotten = join(routes.map(|store| store.forget_tags(tags)).collect()).await;
        let last = self.stores[DEFAULT].forget_tags(tags).await;
        forgotten.into_iter().collect::<Result<()>>().and(last)
    }

    /// One store after the other: a cursor says which.
    pub(super) async fn scan_routes(&self, scan: &Scan<'_>) -> Result<Page> {
        let stores = self.under(scan.prefix);
        let (at, inner) = match scan.cursor {
            None => (0, None),
            Some(cursor) => {
                let (at, inner) = cursor.split_once(':').unwrap_or((cursor, ""));
                let at = at.parse().unwrap_or(0);
                (at, Some(inner).filter(|inner| !inner.is_empty()))
            }
        };
        let Some(number) = stores.get(at) else {
            let message = "the cursor is of other routes";
            return Err(Error::new(crate::ErrorKind::Store, "scan", message));
        };
        let question = Scan {
            cursor: inner,
            ..*scan
        };
        let page = self.stores[*number].scan(&question).await?;
        let cursor = match page.cursor {
            Some(inner) => Some(format!("{at}:{inner}")),
            None => (at + 1 < stores.len()).then(|| format!("{}:", at + 1)),
        };
        let mut keys = page.keys;
        // What an earlier set of routes left in another store is read by nobody.
        keys.retain(|key| self.of(key) == *number);
        Ok(Page { keys, cursor })
    }
}
