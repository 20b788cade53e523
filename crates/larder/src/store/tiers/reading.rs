//! Reading through the levels, and bringing up what a deeper one had.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Tiers, unheard_of};
use crate::error::Result;
use crate::store::head::patch_versions;
use crate::store::late::translate_late;
use crate::store::token::{Leased, Leases};
use crate::store::{Ask, Fill, Found, Head, Life, Read, Token};

/// One question on its way down.
struct Pass<'a> {
    read: Read<'a>,
    /// What each level said; `None` where it was not asked or failed.
    found: Vec<Option<Found>>,
    served: Option<usize>,
}

impl Tiers {
    pub(super) async fn read_through(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let mut passes: Vec<Pass<'_>> = reads.iter().map(|read| Pass::new(*read, self)).collect();
        let first = self.true_up().await;
        let mut error = None;
        let mut answered = false;
        for level in first..self.levels.len() {
            let mut open: Vec<&mut Pass<'_>> = passes
                .iter_mut()
                .filter(|pass| pass.served.is_none())
                .collect();
            if open.is_empty() {
                break;
            }
            match self.ask(level, &mut open).await {
                Ok(()) => answered = true,
                Err(failed) => {
                    self.skip("read", level, &failed);
                    error = Some(failed);
                }
            }
        }
        if !answered && let Some(error) = error {
            return Err(error);
        }
        let mut answers = self.bring_up(&passes).await?;
        self.bring_up_without_lease(&passes, &mut answers).await;
        Ok(answers)
    }

    /// Who asks for an entry alone has no leases of the levels above the one that served: they are asked once more, with leases, so that the next look is near.
    async fn bring_up_without_lease(&self, passes: &[Pass<'_>], answers: &mut [Found]) {
        let is_deep = |pass: &Pass<'_>| {
            let read = &pass.read;
            // A look that is no use of the entry has no time for a lease; one that knows tags asks how they stand, and must make none.
            let uses = read.ask == Ask::Entry && !read.lease.is_zero() && read.tags.is_empty();
            uses && pass.served > pass.told()
        };
        let deep: Vec<usize> = (0..passes.len())
            .filter(|at| is_deep(&passes[*at]))
            .collect();
        if deep.is_empty() {
            return;
        }
        let again = deep.iter().map(|at| Read {
            ask: Ask::EntryOrLease,
            ..passes[*at].read
        });
        let again: Vec<Read<'_>> = again.collect();
        // What went wrong is told by the levels; what was found before is an answer all the same.
        let Ok(found) = Box::pin(self.read_through(&again)).await else {
            return;
        };
        for (at, found) in deep.into_iter().zip(found) {
            if found.bytes.is_some() && found.lease.is_none() {
                answers[at] = found;
            }
        }
    }

    /// Asks one level all that is still open.
    async fn ask(&self, level: usize, open: &mut [&mut Pass<'_>]) -> Result<()> {
        let store = &self.levels[level].store;
        let questions: Vec<Read<'_>> = open.iter().map(|pass| pass.read).collect();
        let found = store.read(&questions).await?;
        if found.len() != open.len() {
            return Err(unheard_of("read", &**store));
        }
        let mut dead = Vec::new();
        for (number, (pass, found)) in open.iter_mut().zip(found).enumerate() {
            if pass.take(level, found) == Took::Dead {
                dead.push(number);
            }
        }
        if dead.is_empty() {
            return Ok(());
        }
        // A store that does not compare versions of tags gave no lease for what is dead.
        let questions: Vec<Read<'_>> = dead
            .iter()
            .map(|number| Read {
                ask: Ask::EntryAndLease,
                ..open[*number].read
            })
            .collect();
        let found = store.read(&questions).await?;
        for (number, found) in dead.into_iter().zip(found) {
            open[number].found[level] = Some(Found {
                bytes: None,
                ..found
            });
        }
        Ok(())
    }

    /// Fills the levels above those that served, and answers.
    async fn bring_up(&self, passes: &[Pass<'_>]) -> Result<Vec<Found>> {
        let mut answers = Vec::with_capacity(passes.len());
        let mut fills: Vec<Vec<Lift<'_>>> = self.levels.iter().map(|_| Vec::new()).collect();
        for pass in passes {
            let rise = match pass.served {
                Some(level) => self.rise(pass, level).await,
                None => None,
            };
            let Some(rise) = rise else {
                let (mut answer, holder) = pass.answer();
                if let (Some(holder), Some(told)) = (holder, pass.told()) {
                    self.tell_late(&mut answer, pass.read.tags, holder, told)
                        .await;
                }
                answers.push(answer);
                continue;
            };
            for (level, bytes) in &rise.levels {
                let life = self.levels[*level].capped(rise.life);
                let lease = pass.found[*level].as_ref();
                if let Some(lease) = lease.and_then(|found| found.lease.as_ref()) {
                    fills[*level].push(Lift {
                        key: pass.read.key,
                        bytes: bytes.clone(),
                        life,
                        lease,
                    });
                }
            }
            answers.push(rise.answer);
        }
        for (level, fills) in fills.into_iter().enumerate().rev() {
            let fills: Vec<Fill<'_>> = fills.iter().map(Lift::fill).collect();
            if fills.is_empty() {
                continue;
            }
            // A lost lease means that somebody changed it meanwhile: then it stays below.
            if let Err(error) = self.levels[level].store.fill(&fills).await {
                self.skip("fill", level, &error);
            }
        }
        Ok(answers)
    }

    /// What becomes of an entry that a deeper level served; `None` when it stays there.
    async fn rise(&self, pass: &Pass<'_>, holder: usize) -> Option<Rise> {
        let told = pass.told().filter(|told| *told < holder)?;
        let held = pass.found[holder].as_ref()?;
        let bytes = held.bytes.as_ref()?;
        let Some((head, _)) = Head::parse(bytes) else {
            return self.rise_plain(pass, holder, bytes).await;
        };
        let life = match head.keep_until() {
            u64::MAX => None,
            until => Some(Duration::from_millis(until.saturating_sub(pass.read.now))),
        };
        if life.is_some_and(|life| life.is_zero()) {
            return None;
        }
        let late: Vec<(&str, u64)> = head
            .tags()
            .iter()
            .filter(|tag| !pass.read.tags.contains(&&*tag.name))
            .map(|tag| (&*tag.name, tag.version))
            .collect();
        if !self.stand(holder, &late, life).await {
            return None;
        }
        let (mut levels, mut answer) = (Vec::new(), None);
        for (level, found) in pass.found[..holder].iter().enumerate() {
            let Some(found) = found.as_ref().filter(|found| found.lease.is_some()) else {
                continue;
            };
            let more = self.late_versions(level, &late, life, found.epoch).await;
            let Some(mut versions) = more else { continue };
            versions.extend(
                pass.read
                    .tags
                    .iter()
                    .copied()
                    .zip(found.versions.iter().copied()),
            );
            let mut risen = bytes.clone();
            patch_versions(&mut risen, |tag, _| versions.get(tag).copied().unwrap_or(0));
            if level == told {
                answer = Some(Found {
                    bytes: Some(risen.clone()),
                    versions: found.versions.clone(),
                    ..Found::default()
                });
            }
            levels.push((level, risen));
        }
        Some(Rise {
            levels,
            life,
            answer: answer?,
        })
    }

    /// Gives tags that were not asked for the versions that [`versions`](Self::versions) tells.
    async fn tell_late(&self, answer: &mut Found, asked: &[&str], holder: usize, told: usize) {
        if holder != told
            && let Some(bytes) = &mut answer.bytes
        {
            let stores = [holder, told].map(|level| &*self.levels[level].store);
            translate_late(bytes, asked, stores[0], stores[1]).await;
        }
    }

    /// An entry without a head has no tags, and its life is known to its level only.
    async fn rise_plain(&self, pass: &Pass<'_>, holder: usize, bytes: &[u8]) -> Option<Rise> {
        let store = &self.levels[holder].store;
        let life = *store.remaining(&[pass.read.key]).await.ok()?.first()?;
        let told = pass.found[pass.told()?].as_ref()?;
        Some(Rise {
            levels: (0..holder).map(|level| (level, bytes.to_vec())).collect(),
            life: life?,
            answer: Found {
                bytes: Some(bytes.to_vec()),
                versions: told.versions.clone(),
                ..Found::default()
            },
        })
    }

    /// Whether tags that were not asked for have these versions on a level.
    async fn stand(&self, level: usize, tags: &[(&str, u64)], life: Life) -> bool {
        if tags.is_empty() {
            return true;
        }
        let names: Vec<&str> = tags.iter().map(|(name, _)| *name).collect();
        let told = self.levels[level].store.tag_versions(&names, life).await;
        told.is_ok_and(|told| tags.iter().map(|(_, version)| *version).eq(told.versions))
    }

    /// The versions on a level of tags that were not asked for with the lease, if none was forgotten since.
    pub(super) async fn late_versions<'t>(
        &self,
        level: usize,
        tags: &[(&'t str, u64)],
        life: Life,
        epoch: u64,
    ) -> Option<BTreeMap<&'t str, u64>> {
        if tags.is_empty() {
            return Some(BTreeMap::new());
        }
        let names: Vec<&str> = tags.iter().map(|(name, _)| *name).collect();
        let told = self.levels[level]
            .store
            .tag_versions(&names, life)
            .await
            .ok()?;
        (told.epoch == epoch).then(|| names.into_iter().zip(told.versions).collect())
    }
}

/// An entry that goes to one level.
struct Lift<'a> {
    key: &'a str,
    bytes: Vec<u8>,
    life: Life,
    lease: &'a Token,
}

impl Lift<'_> {
    fn fill(&self) -> Fill<'_> {
        Fill {
            key: self.key,
            bytes: &self.bytes,
            life: self.life,
            lease: self.lease,
        }
    }
}

/// An entry on its way up.
struct Rise {
    /// For each level, with its own versions of the tags.
    levels: Vec<(usize, Vec<u8>)>,
    life: Life,
    answer: Found,
}

#[derive(PartialEq, Eq)]
enum Took {
    Well,
    /// There is an entry under a tag that was forgotten, and no lease.
    Dead,
}

impl<'a> Pass<'a> {
    fn new(read: Read<'a>, tiers: &Tiers) -> Self {
        Self {
            read,
            found: tiers.levels.iter().map(|_| None).collect(),
            served: None,
        }
    }

    fn take(&mut self, level: usize, mut found: Found) -> Took {
        found.versions.resize(self.read.tags.len(), 0);
        let stands = found.bytes.is_none() || self.stands(&found);
        let mut took = Took::Well;
        match self.read.ask {
            Ask::Entry if !stands => found.bytes = None,
            Ask::Entry if found.bytes.is_some() => self.served = Some(level),
            Ask::EntryOrLease if found.lease.is_none() && found.bytes.is_some() => {
                if stands {
                    self.served = Some(level);
                } else {
                    took = Took::Dead;
                }
            }
            // Nobody may be told that it stands by the versions of another level.
            Ask::EntryOrLease | Ask::EntryAndLease if !stands => found.bytes = None,
            _ => {}
        }
        self.found[level] = Some(found);
        took
    }

    /// Whether the entry's tags, as far as they were asked for, have their versions on the same level.
    fn stands(&self, found: &Found) -> bool {
        let head = found.bytes.as_deref().and_then(Head::parse);
        let tags = head.map(|(head, _)| head.tags).unwrap_or_default();
        tags.iter().all(|tag| {
            let asked = self.read.tags.iter().position(|asked| *asked == tag.name);
            asked.is_none_or(|at| tag.version != 0 && found.versions[at] == tag.version)
        })
    }

    /// The uppermost level that answered: its versions are told.
    fn told(&self) -> Option<usize> {
        self.found.iter().position(Option::is_some)
    }

    /// With the level whose entry it is.
    fn answer(&self) -> (Found, Option<usize>) {
        let answered = |level: usize| self.found[level].clone().unwrap_or_default();
        if let Some(level) = self.served {
            return (answered(level), Some(level));
        }
        let Some(told) = self.told() else {
            return (Found::default(), None);
        };
        let versions = answered(told).versions;
        if self.read.ask == Ask::Entry {
            let nothing = Found {
                versions,
                ..Found::default()
            };
            return (nothing, None);
        }
        self.leased(told, versions)
    }

    /// A lease of all levels that gave one, and the deepest entry that cannot be served.
    fn leased(&self, told: usize, versions: Vec<u64>) -> (Found, Option<usize>) {
        let levels = self.found.iter();
        let levels: Vec<Option<Leased>> = levels
            .map(|found| found.as_ref().and_then(Leased::of))
            .collect();
        if levels.iter().all(Option::is_none) {
            let nothing = Found {
                versions,
                ..Found::default()
            };
            return (nothing, None);
        }
        let deepest = self.found.len() - 1;
        let held = self.found.iter().enumerate().rev();
        let held = held
            .filter_map(|(level, found)| Some((level, found.as_ref()?)))
            .find(|(_, found)| found.bytes.is_some());
        let leases = Leases {
            told,
            is_deepest: held.is_some_and(|(level, _)| level == deepest),
            tags: self.read.tags.iter().map(|tag| (*tag).to_owned()).collect(),
            levels,
        };
        let holder = held.map(|(level, _)| level);
        let bytes = held.and_then(|(level, found)| {
            let mut bytes = found.bytes.clone()?;
            self.tell_versions(&mut bytes, level, told, &versions);
            Some(bytes)
        });
        let epochs = leases.levels.iter();
        let epochs = epochs.map(|level| level.as_ref().map_or(0, |leased| leased.epoch));
        let found = Found {
            bytes,
            epoch: super::epoch_of(epochs),
            lease: Some(leases.to_token()),
            versions,
        };
        (found, holder)
    }

    /// Versions of the level that is told instead of the holder's, for tags that were asked for.
    fn tell_versions(&self, bytes: &mut [u8], holder: usize, told: usize, versions: &[u64]) {
        if holder != told {
            patch_versions(bytes, |tag, version| {
                let asked = self.read.tags.iter().position(|asked| *asked == tag);
                asked.map_or(version, |at| versions[at])
            });
        }
    }
}
