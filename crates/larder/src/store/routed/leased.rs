//! Reading and storing on routes, with the versions of tags that belong to each store.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::across::Share;
use super::{DEFAULT, Routed};
use crate::error::Result;
use crate::runtime::BoxFuture;
use crate::store::head::translate_versions;
use crate::store::late::{SHORTLY, translate_late};
use crate::store::token::{Leased, Leases};
use crate::store::wait::join;
use crate::store::{Fill, Found, Head, Life, Read, Store, Token, Touch, Write};

/// An epoch that no store is ever at: a random number is not this one.
const NO_EPOCH: u64 = 1;

impl Routed {
    pub(super) async fn read_routes(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let shares = self.shares(reads.iter().map(|read| read.key));
        let asked = shares.iter().map(|share| {
            let reads = share.places.iter().map(|place| reads[*place]);
            Box::pin(self.read_share(share.store, reads.collect())) as BoxFuture<'_, _>
        });
        let mut answers: Vec<Found> = reads
            .iter()
            .map(|read| Found {
                versions: vec![0; read.tags.len()],
                ..Found::default()
            })
            .collect();
        self.gather("read", &shares, join(asked.collect()).await, &mut answers)?;
        Ok(answers)
    }

    /// Puts answers in their places; fails only when no store answered.
    fn gather<T>(
        &self,
        operation: &'static str,
        shares: &[Share],
        answers: Vec<Result<Vec<T>>>,
        places: &mut [T],
    ) -> Result<()> {
        let (mut answered, mut error) = (answers.is_empty(), None);
        for (share, answer) in shares.iter().zip(answers) {
            match answer {
                Ok(answer) => {
                    answered = true;
                    for (place, one) in share.places.iter().zip(answer) {
                        places[*place] = one;
                    }
                }
                Err(failed) => {
                    self.skip(operation, share.store, &failed);
                    error = Some(failed);
                }
            }
        }
        match error {
            Some(error) if !answered => Err(error),
            _ => Ok(()),
        }
    }

    async fn read_share(&self, number: usize, reads: Vec<Read<'_>>) -> Result<Vec<Found>> {
        let store = &self.stores[number];
        let mut found = store.read(&reads).await?;
        if number == DEFAULT {
            return Ok(found);
        }
        for (found, read) in found.iter_mut().zip(&reads) {
            if let Some(bytes) = &mut found.bytes {
                translate_late(bytes, read.tags, &**store, &*self.stores[DEFAULT]).await;
            }
        }
        if found.iter().all(|found| found.lease.is_none()) {
            return Ok(found);
        }
        // After the lease and before the value is asked for: what is forgotten between is not in it.
        let told = self.stores[DEFAULT].tag_versions(&[], SHORTLY).await;
        let epoch = told.map_or(NO_EPOCH, |told| told.epoch);
        for (found, read) in found.iter_mut().zip(&reads) {
            if let Some(leased) = Leased::of(found) {
                let leases = Leases {
                    levels: vec![Some(leased)],
                    told: 0,
                    is_deepest: false,
                    tags: read.tags.iter().map(|tag| (*tag).to_owned()).collect(),
                };
                found.lease = Some(leases.to_token());
                found.epoch = epoch;
            }
        }
        Ok(found)
    }

    pub(super) async fn fill_routes(&self, fills: &[Fill<'_>]) -> Result<Vec<bool>> {
        let shares = self.shares(fills.iter().map(|fill| fill.key));
        let asked = shares.iter().map(|share| {
            let fills = share.places.iter().map(|place| fills[*place]);
            Box::pin(self.fill_share(share.store, fills.collect())) as BoxFuture<'_, _>
        });
        let mut filled = vec![false; fills.len()];
        self.gather("fill", &shares, join(asked.collect()).await, &mut filled)?;
        Ok(filled)
    }

    async fn fill_share(&self, number: usize, fills: Vec<Fill<'_>>) -> Result<Vec<bool>> {
        let store = &self.stores[number];
        if number == DEFAULT {
            return store.fill(&fills).await;
        }
        let mut going = Vec::new();
        for (place, fill) in fills.iter().enumerate() {
            let here = self
                .of_route(&**store, fill.bytes, fill.life, fill.lease)
                .await?;
            going.extend(here.map(|(bytes, lease)| (place, bytes, lease)));
        }
        let mine: Vec<Fill<'_>> = going
            .iter()
            .map(|(place, bytes, lease)| Fill {
                bytes,
                lease,
                ..fills[*place]
            })
            .collect();
        let mut filled = vec![false; fills.len()];
        for ((place, ..), done) in going.iter().zip(store.fill(&mine).await?) {
            filled[*place] = done;
        }
        Ok(filled)
    }

    pub(super) async fn touch_route(&self, touch: &Touch<'_>) -> Result<bool> {
        let number = self.of(touch.key);
        let store = &self.stores[number];
        if number == DEFAULT {
            return store.touch(touch).await;
        }
        let here = self
            .of_route(&**store, touch.head, touch.life, touch.lease)
            .await?;
        let Some((head, lease)) = here else {
            return Ok(false);
        };
        let mine = Touch {
            head: &head,
            lease: &lease,
            ..*touch
        };
        store.touch(&mine).await
    }

    /// An entry, or a head alone, with the versions that its tags have on a route, and the route's own lease; `None` when the lease is lost.
    async fn of_route<'b>(
        &self,
        store: &dyn Store,
        bytes: &'b [u8],
        life: Life,
        lease: &Token,
    ) -> Result<Option<(Cow<'b, [u8]>, Token)>> {
        let Some(leases) = Leases::parse(lease, 1) else {
            return Ok(None);
        };
        let Some(Some(leased)) = leases.levels.first() else {
            return Ok(None);
        };
        let asked = leases.versions(0);
        let head = Head::parse(bytes).map(|(head, _)| head);
        let tags = head.iter().flat_map(|head| head.tags());
        let late: Vec<&str> = tags
            .map(|tag| &*tag.name)
            .filter(|tag| !asked.contains_key(tag))
            .collect();
        if late.is_empty() {
            return Ok(Some((Cow::Borrowed(bytes), leased.token.clone())));
        }
        let told = self.stores[DEFAULT].tag_versions(&late, life).await?;
        let here = store.tag_versions(&late, life).await?;
        if here.epoch != leased.epoch {
            return Ok(None);
        }
        let (mut from, mut to) = (asked.clone(), asked);
        from.extend(late.iter().copied().zip(told.versions));
        to.extend(late.iter().copied().zip(here.versions));
        let mut bytes = bytes.to_vec();
        translate_versions(&mut bytes, &from, &to);
        Ok(Some((Cow::Owned(bytes), leased.token.clone())))
    }

    pub(super) async fn write_routes(&self, writes: &[Write<'_>]) -> Result<Vec<bool>> {
        let shares = self.shares(writes.iter().map(|write| write.key));
        let asked = shares.iter().map(|share| {
            let writes = share.places.iter().map(|place| writes[*place]);
            Box::pin(self.write_share(share.store, writes.collect())) as BoxFuture<'_, _>
        });
        let mut written = vec![false; writes.len()];
        for (share, answer) in shares.iter().zip(join(asked.collect()).await) {
            let answer: Vec<bool> = answer?;
            for (place, done) in share.places.iter().zip(answer) {
                written[*place] = done;
            }
        }
        Ok(written)
    }

    async fn write_share(&self, number: usize, writes: Vec<Write<'_>>) -> Result<Vec<bool>> {
        let store = &self.stores[number];
        if number == DEFAULT {
            return store.write(&writes).await;
        }
        let mut entries = Vec::new();
        for write in &writes {
            let head = Head::parse(write.bytes).map(|(head, _)| head);
            let tags = head.iter().flat_map(|head| head.tags());
            let names: Vec<&str> = tags.map(|tag| &*tag.name).collect();
            if names.is_empty() {
                entries.push(Cow::Borrowed(write.bytes));
                continue;
            }
            let told = self.stores[DEFAULT]
                .tag_versions(&names, write.life)
                .await?;
            let here = store.tag_versions(&names, write.life).await?;
            let by_name = |versions: Vec<u64>| names.iter().copied().zip(versions).collect();
            let (from, to): (BTreeMap<_, _>, BTreeMap<_, _>) =
                (by_name(told.versions), by_name(here.versions));
            let mut bytes = write.bytes.to_vec();
            translate_versions(&mut bytes, &from, &to);
            entries.push(Cow::Owned(bytes));
        }
        let writes: Vec<Write<'_>> = writes
            .iter()
            .zip(&entries)
            .map(|(write, bytes)| Write { bytes, ..*write })
            .collect();
        store.write(&writes).await
    }
}
