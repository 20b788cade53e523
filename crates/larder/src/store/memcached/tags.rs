//! Tags and their epoch.
//!
//! A tag's record is an empty item, and its version comes from that item's version: it is made by looking at it, and gone when it is deleted or evicted. The epoch is one
//! random number that stands on every server, so that a lease takes it from the server it is on. Whoever forgets tags writes a new one everywhere before it deletes
//! the records; whoever asks for versions looks at the epoch after them. So a version of after a removal never comes with an epoch of before. Where servers do not agree on
//! the epoch, some removal is under way or a server lost it, and a new one is written.

use std::collections::HashMap;

use super::generations::{Generations, random};
use super::group::{Group, all, refused};
use super::link::Failure;
use super::names::{Kind, name};
use super::wire::{Answer, Exchange};
use crate::store::TagVersions;

/// The version of a tag.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Version {
    /// 0 where there is none.
    pub(super) number: u64,
    /// Whether this trip made it.
    pub(super) made: bool,
}

impl Version {
    pub(super) fn of(answer: &Answer, generations: &Generations) -> Self {
        let is_there = answer.done() && answer.cas != 0;
        Self {
            number: if is_there {
                generations.version(answer.cas)
            } else {
                0
            },
            made: answer.made,
        }
    }
}

/// The tags of a batch, each once.
#[derive(Default)]
pub(super) struct Tags<'a> {
    pub(super) names: Vec<&'a str>,
    /// Whether a version is made where there is none.
    made: Vec<bool>,
    pub(super) numbers: HashMap<&'a str, usize>,
}

impl<'a> Tags<'a> {
    pub(super) fn add(&mut self, tag: &'a str, made: bool) -> usize {
        let number = *self.numbers.entry(tag).or_insert_with(|| {
            self.names.push(tag);
            self.made.push(false);
            self.names.len() - 1
        });
        self.made[number] |= made;
        number
    }

    /// Asks for the version of a tag. Its record has no end: eviction ends what nobody asks for.
    pub(super) fn look(&self, number: usize, exchange: &mut Exchange) {
        let name = name(Kind::Tag, "", self.names[number]);
        match self.made[number] {
            true => exchange.get(&name, format_args!("c N0")),
            false => exchange.get(&name, format_args!("c")),
        }
    }
}

impl Group {
    /// The versions of tags, in their order.
    pub(super) async fn versions(
        &self,
        tags: &[&str],
        made: bool,
    ) -> Result<Vec<Version>, Failure> {
        let mut all = Tags::default();
        let numbers: Vec<usize> = tags.iter().map(|tag| all.add(tag, made)).collect();
        let trips = self.trips(&[], &all).await?;
        Ok(numbers.iter().map(|n| trips.versions[*n]).collect())
    }

    pub(super) async fn tag_versions(&self, tags: &[&str]) -> Result<TagVersions, Failure> {
        let versions = self.versions(tags, true).await?;
        let epoch = self.agree().await?;
        Ok(TagVersions {
            versions: versions.iter().map(|version| version.number).collect(),
            epoch,
        })
    }

    /// The epoch that all servers know, or a new one.
    pub(super) async fn agree(&self) -> Result<u64, Failure> {
        let asked = (0..self.len()).map(|server| {
            self.trip(server, |_, exchange| {
                exchange.get(self.epoch(), format_args!("v"));
            })
        });
        let mut known = Vec::with_capacity(self.len());
        for answers in all(asked).await {
            known.push(epoch(&answers?.1[0]));
        }
        match known.first() {
            Some(Some(first)) if known.iter().all(|epoch| epoch == &Some(*first)) => Ok(*first),
            _ => {
                let (epoch, _, failure) = self.move_epoch().await;
                failure.map_or(Ok(epoch), Err)
            }
        }
    }

    /// Writes a new epoch everywhere; how many servers took it, and why another did not.
    async fn move_epoch(&self) -> (u64, usize, Option<Failure>) {
        let epoch = random().max(1);
        let written = (0..self.len()).map(|server| async move {
            let trip = self.trip(server, |_, exchange| {
                exchange.set(self.epoch(), &epoch.to_be_bytes(), &[], format_args!("T0"));
            });
            refused(&trip.await?.1[0], 8, self.item_limit)
        });
        let (mut count, mut failure) = (0, None);
        for written in all(written).await {
            match written {
                Ok(()) => count += 1,
                Err(why) => failure = Some(why),
            }
        }
        (epoch, count, failure)
    }

    pub(super) async fn forget_tags(&self, tags: &[&str]) -> Result<(), Failure> {
        let (_, moved, failure) = self.move_epoch().await;
        if moved == 0 {
            // Without a new epoch anywhere, a new version could be taken for one of before.
            return failure.map_or(Ok(()), Err);
        }
        let shares = self.shares(0..tags.len(), |number| tags[number]);
        let trips = shares.iter().map(|(server, numbers)| {
            self.trip(*server, move |_, exchange| {
                for number in numbers {
                    let record = name(Kind::Tag, "", tags[*number]);
                    exchange.delete(&record, format_args!("k"));
                }
            })
        });
        // What can be forgotten is forgotten, whatever becomes of one server.
        let failures = all(trips).await.into_iter().filter_map(Result::err);
        failures.chain(failure).next().map_or(Ok(()), Err)
    }
}

/// The epoch that a server knows.
pub(super) fn epoch(answer: &Answer) -> Option<u64> {
    let number = answer.body.as_slice().try_into().ok()?;
    Some(u64::from_be_bytes(number)).filter(|number| answer.done() && *number != 0)
}
