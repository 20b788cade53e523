//! Looking and leasing in one round trip, with the versions of tags.

use std::collections::BTreeSet;
use std::time::Duration;

use ::redis::{Cmd, Value};
use futures_util::future::join;

use super::cluster::in_between;
use super::likely::glance;
use super::names::{Kind, Names, apart};
use super::{BATCH, Redis, finite, millis, random, reply, script};
use crate::error::{Error, Result};
use crate::store::{Ask, Found, Head, Life, Read, Tag, Token};

pub(super) const READ: &str = "read";

/// What one script call is to find out about one key.
#[derive(Clone, Copy)]
struct Question<'a> {
    read: &'a Read<'a>,
    ask: Ask,
    tags: &'a [&'a str],
}

impl Redis {
    pub(super) async fn read_all(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let plain = |read: &Read<'_>| match read.ask {
            Ask::Entry => true,
            Ask::EntryOrLease => self.likely.there(read.key, read.now),
            Ask::EntryAndLease => false,
        };
        if !reads.iter().all(plain) {
            return Box::pin(self.look_and_lease(reads)).await;
        }
        let mut found = match self.look(reads).await {
            Err(error) if in_between(&error) => {
                return Box::pin(self.look_and_lease(reads)).await;
            }
            found => found?,
        };
        let again: Vec<usize> = (0..reads.len())
            .filter(|place| !self.serves(&reads[*place], &found[*place]))
            .collect();
        if !again.is_empty() {
            let asked: Vec<Read<'_>> = again.iter().map(|place| reads[*place]).collect();
            let answers = Box::pin(self.look_and_lease(&asked)).await?;
            for (place, answer) in again.into_iter().zip(answers) {
                found[place] = answer;
            }
        }
        Ok(found)
    }

    /// Whether what a look found answers the question; if not, there is a lease to be had.
    fn serves(&self, read: &Read<'_>, found: &Found) -> bool {
        if read.ask == Ask::Entry {
            return true;
        }
        let bytes = found.bytes.as_deref();
        let Some(glance) = bytes.and_then(|bytes| glance(bytes, read.now)) else {
            self.likely.gone(read.key);
            return false;
        };
        let serves = read.now < glance.stale_until
            && (glance.tags == 0 || stands(bytes.unwrap_or_default(), read, found));
        if serves {
            self.likely.seen(read.key, glance);
        } else {
            self.likely.gone(read.key);
        }
        serves
    }

    async fn look_and_lease(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let found = match self.names {
            Names::Plain => self.read_here(reads).await?,
            Names::Slotted => self.read_apart(reads).await?,
        };
        for (read, found) in reads.iter().zip(&found) {
            let served = found.lease.is_none() && read.ask == Ask::EntryOrLease;
            if served {
                self.serves(read, found);
            }
        }
        Ok(found)
    }

    /// All in one script, which compares tags itself.
    async fn read_here(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let questions: Vec<Question<'_>> = reads
            .iter()
            .map(|read| Question {
                read,
                ask: read.ask,
                tags: read.tags,
            })
            .collect();
        let mut found = Vec::with_capacity(reads.len());
        for part in questions.chunks(BATCH) {
            found.append(&mut self.put(part, Compares::There).await?);
        }
        Ok(found)
    }

    /// A script for each slot, and beside it the versions of tags; compared here. Only a lease takes another round trip, for what it makes elsewhere.
    ///
    /// An entry is judged by versions that were asked for after the read began, so whatever was forgotten before is dead. What comes with a lease is from before the load, so what is stored
    /// with it is dead if it was forgotten since.
    async fn read_apart(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let planned = reads.iter().flat_map(|read| read.tags).copied();
        let (found, versions) = join(
            self.by_slot(reads),
            self.known_versions(planned.collect::<BTreeSet<_>>()),
        )
        .await;
        let (mut found, mut versions) = (found?, versions?);
        let heads: Vec<Option<Head>> = reads.iter().zip(&found).map(judged).collect();
        let tags = heads.iter().flatten().flat_map(Head::tags);
        let unknown = tags
            .map(|tag| tag.name.as_str())
            .filter(|name| !versions.contains_key(*name));
        let more = self
            .known_versions(unknown.collect::<BTreeSet<_>>())
            .await?;
        versions.extend(more);

        let mut unleased = Vec::new();
        for (place, head) in heads.iter().enumerate() {
            let Some(head) = head else { continue };
            let stands = |tag: &Tag| {
                let now = versions.get(&tag.name).copied().unwrap_or(0);
                now != 0 && now == tag.version
            };
            if !head.tags().iter().all(stands) {
                found[place].bytes = None;
                if found[place].lease.is_none() {
                    unleased.push(place);
                }
            }
        }
        self.lease_dead(reads, &unleased, &mut found).await?;
        for (read, found) in reads.iter().zip(&mut found) {
            let version = |tag: &&str| versions.get(*tag).copied().unwrap_or(0);
            found.versions = read.tags.iter().map(version).collect();
        }
        self.complete(reads, &mut found).await?;
        Ok(found)
    }

    /// What a lease makes in other slots: versions, and the epoch.
    async fn complete(&self, reads: &[Read<'_>], found: &mut [Found]) -> Result<()> {
        let leased = || {
            let both = reads.iter().zip(found.iter());
            both.filter(|(_, found)| found.lease.is_some())
                .map(|(read, _)| read)
        };
        let Some(life) = leased().map(least).reduce(longer) else {
            return Ok(());
        };
        let tags: BTreeSet<&str> = leased().flat_map(|read| read.tags).copied().collect();
        let tags: Vec<&str> = tags.into_iter().collect();
        let (made, epoch) = join(self.made_versions(READ, &tags, life), self.epoch(READ)).await;
        let (made, epoch) = (made?, epoch?);
        let leased = reads.iter().zip(found.iter_mut());
        for (read, found) in leased.filter(|(_, found)| found.lease.is_some()) {
            found.epoch = epoch;
            for (tag, version) in read.tags.iter().zip(&mut found.versions) {
                if let Ok(place) = tags.binary_search(tag) {
                    *version = made[place];
                }
            }
        }
        Ok(())
    }

    async fn by_slot(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let groups = self.groups(reads.iter().map(|read| read.key));
        let asked = groups.iter().map(|group| {
            let questions: Vec<Question<'_>> = group
                .iter()
                .map(|place| Question {
                    read: &reads[*place],
                    ask: reads[*place].ask,
                    tags: &[],
                })
                .collect();
            async move {
                match self.put(&questions, Compares::Here).await {
                    Err(error) if in_between(&error) => self.hits_only(&questions, error).await,
                    answer => answer,
                }
            }
        });
        let answers = futures_util::future::join_all(asked).await;
        let mut found = vec![Found::default(); reads.len()];
        for (group, answer) in groups.iter().zip(answers) {
            for (place, answer) in group.iter().zip(answer?) {
                found[*place] = answer;
            }
        }
        Ok(found)
    }

    /// Entries of a slot that is being moved: one key at a time can be asked for, so there is no lease, but there are hits.
    async fn hits_only(&self, questions: &[Question<'_>], error: Error) -> Result<Vec<Found>> {
        let mut found = Vec::with_capacity(questions.len());
        for question in questions {
            let mut cmd = ::redis::cmd("MGET");
            cmd.arg(question.read.key);
            let answer = reply::list_of(READ, self.ask(READ, cmd).await?, 1)?.pop();
            let bytes = reply::bytes(READ, answer.unwrap_or(Value::Nil))?;
            let due = match question.ask {
                Ask::Entry => false,
                Ask::EntryAndLease => true,
                Ask::EntryOrLease => !bytes
                    .as_deref()
                    .is_some_and(|bytes| servable(bytes, question.read.now)),
            };
            if due {
                return Err(error);
            }
            found.push(Found {
                bytes,
                ..Found::default()
            });
        }
        Ok(found)
    }

    /// Takes leases of entries that turned out to be dead.
    async fn lease_dead(
        &self,
        reads: &[Read<'_>],
        dead: &[usize],
        found: &mut [Found],
    ) -> Result<()> {
        if dead.is_empty() {
            return Ok(());
        }
        let again: Vec<Read<'_>> = dead
            .iter()
            .map(|place| Read {
                ask: Ask::EntryAndLease,
                ..reads[*place]
            })
            .collect();
        for (place, leased) in dead.iter().zip(self.by_slot(&again).await?) {
            found[*place].lease = leased.lease;
        }
        Ok(())
    }

    /// Asks questions of one script call.
    async fn put(&self, questions: &[Question<'_>], compares: Compares) -> Result<Vec<Found>> {
        let cmd = self.call(questions, compares);
        let answer = self.ask(READ, cmd).await?;
        // The short way: an entry that can be served.
        if questions.len() == 1 && matches!(answer, Value::BulkString(_)) {
            return Ok(vec![Found {
                bytes: reply::bytes(READ, answer)?,
                ..Found::default()
            }]);
        }
        let mut items = reply::list(READ, answer)?;
        let epoch = match items.len().checked_sub(questions.len()) {
            Some(0) => 0,
            Some(1) => reply::version(READ, items.pop().unwrap_or(Value::Nil))?,
            _ => return Err(reply::odd(READ)),
        };
        let answers = questions.iter().zip(items);
        answers
            .map(|(question, item)| found(question, item, epoch))
            .collect()
    }

    fn call(&self, questions: &[Question<'_>], compares: Compares) -> Cmd {
        let tags: usize = questions.iter().map(|question| question.tags.len()).sum();
        let keys = 2 * questions.len() + tags + usize::from(compares == Compares::There);
        let text: usize = questions
            .iter()
            .map(|question| question.read.key.len())
            .sum();
        let room = 2 * text + 96 * (questions.len() + tags);
        let mut cmd = script::READ.call(keys, 6 * questions.len() + tags + 1, room);
        for question in questions {
            let key = question.read.key;
            cmd.arg(key).arg(self.names.beside(key, Kind::Lease));
            for tag in question.tags {
                cmd.arg(apart(tag, Kind::Version));
            }
        }
        if compares == Compares::There {
            cmd.arg(self.epoch_name());
        }
        for question in questions {
            let read = question.read;
            let ask: &[u8] = match question.ask {
                Ask::Entry => b"1",
                Ask::EntryOrLease => b"2",
                Ask::EntryAndLease => b"3",
            };
            let mut token = [0; 16];
            token[..8].copy_from_slice(&random().to_be_bytes());
            token[8..].copy_from_slice(&random().to_be_bytes());
            cmd.arg(ask)
                .arg(question.tags.len())
                .arg(read.now)
                .arg(finite(read.lease) as u64)
                .arg(&token)
                .arg(millis(least(read)));
            for _ in question.tags {
                cmd.arg(&random().to_be_bytes());
            }
        }
        match compares {
            Compares::There => cmd.arg(&random().to_be_bytes()),
            Compares::Here => cmd.arg(b""),
        };
        cmd
    }

    pub(super) fn epoch_name(&self) -> Vec<u8> {
        apart(&self.plan.settings.prefix, Kind::Epoch)
    }
}

/// Whether the entry's tags are among those that were asked for, and have the versions that it was stored with.
fn stands(bytes: &[u8], read: &Read<'_>, found: &Found) -> bool {
    let Some((head, _)) = Head::parse(bytes) else {
        return false;
    };
    head.tags().iter().all(|tag| {
        let place = read.tags.iter().position(|asked| *asked == tag.name);
        let version = place.and_then(|place| found.versions.get(place).copied());
        version.is_some_and(|version| version != 0 && version == tag.version)
    })
}

fn servable(bytes: &[u8], now: u64) -> bool {
    glance(bytes, now).is_some_and(|glance| now < glance.stale_until)
}

/// Where an entry's tags are compared with those of the store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compares {
    /// In the script: everything lies on one server.
    There,
    /// In this process.
    Here,
}

/// How long a version must live that is made for a read.
fn least(read: &Read<'_>) -> Life {
    read.life.map(|life| {
        life.saturating_add(read.lease)
            .max(Duration::from_millis(1))
    })
}

fn longer(one: Life, other: Life) -> Life {
    one.zip(other).map(|(one, other)| one.max(other))
}

/// The head of an entry that is to be judged by its tags.
fn judged((read, found): (&Read<'_>, &Found)) -> Option<Head> {
    if read.ask != Ask::EntryOrLease {
        return None;
    }
    Head::parse(found.bytes.as_deref()?).map(|(head, _)| head)
}

fn found(question: &Question<'_>, item: Value, epoch: u64) -> Result<Found> {
    let mut parts = reply::list_of(READ, item, 2 + question.tags.len())?.into_iter();
    let mut next = || parts.next().unwrap_or(Value::Nil);
    let bytes = reply::bytes(READ, next())?;
    let lease = reply::bytes(READ, next())?.map(Token::new);
    let versions = question.tags.iter().map(|_| reply::version(READ, next()));
    Ok(Found {
        bytes,
        versions: versions.collect::<Result<_>>()?,
        epoch: if lease.is_some() { epoch } else { 0 },
        lease,
    })
}
