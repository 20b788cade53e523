//! Looking without leasing: no script.

use std::collections::{BTreeSet, HashMap};

use ::redis::{Cmd, RedisError};
use futures_util::future::join;

use super::names::{Kind, Names, apart};
use super::read::READ;
use super::{BATCH, Redis, reply};
use crate::error::{Error, Result};
use crate::store::{Found, Read};

impl Redis {
    /// Entries and versions as they are: no script.
    pub(super) async fn look(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        if let [read] = reads
            && (read.tags.is_empty() || matches!(self.names, Names::Plain))
            && read.tags.len() < BATCH
        {
            return Ok(vec![self.look_at_one(read).await?]);
        }
        // Apart: the future of a single key stays small.
        Box::pin(self.look_at_many(reads)).await
    }

    /// One entry, and the versions of its tags if they are on its server.
    async fn look_at_one(&self, read: &Read<'_>) -> Result<Found> {
        let size = read.key.len() + read.tags.iter().map(|tag| tag.len() + 64).sum::<usize>();
        let mut cmd = Cmd::with_capacity(2 + read.tags.len(), size + 4);
        if read.tags.is_empty() {
            cmd.arg("GET").arg(read.key);
            let bytes = match self.ask(READ, cmd).await {
                // A list or a hash: nothing of ours.
                Err(error) if is_of_wrong_type(&error) => None,
                answer => reply::bytes(READ, answer?)?,
            };
            return Ok(Found {
                bytes,
                ..Found::default()
            });
        }
        cmd.arg("MGET").arg(read.key);
        for tag in read.tags {
            cmd.arg(apart(tag, Kind::Version));
        }
        let answer = self.ask(READ, cmd).await?;
        let mut values = reply::list_of(READ, answer, 1 + read.tags.len())?.into_iter();
        let bytes = values.next().map(|value| reply::bytes(READ, value));
        let versions = values.map(|value| reply::version(READ, value));
        Ok(Found {
            bytes: bytes.transpose()?.flatten(),
            versions: versions.collect::<Result<_>>()?,
            ..Found::default()
        })
    }

    async fn look_at_many(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let planned: BTreeSet<&str> = reads.iter().flat_map(|read| read.tags).copied().collect();
        let (mut found, versions) = match self.names {
            Names::Plain => self.look_here(reads, planned).await?,
            Names::Slotted => {
                let (found, versions) =
                    join(self.entries(reads), self.known_versions(planned)).await;
                (found?, versions?)
            }
        };
        for (read, found) in reads.iter().zip(&mut found) {
            let version = |tag: &&str| versions.get(*tag).copied().unwrap_or(0);
            found.versions = read.tags.iter().map(version).collect();
        }
        Ok(found)
    }

    /// Entries and versions of one server, in one command for a batch.
    async fn look_here(
        &self,
        reads: &[Read<'_>],
        tags: BTreeSet<&str>,
    ) -> Result<(Vec<Found>, HashMap<String, u64>)> {
        let tags: Vec<&str> = tags.into_iter().collect();
        let mut names: Vec<Vec<u8>> = reads.iter().map(|read| read.key.into()).collect();
        names.extend(tags.iter().map(|tag| apart(tag, Kind::Version)));
        let mut values = Vec::with_capacity(names.len());
        for part in names.chunks(BATCH) {
            let mut cmd = ::redis::cmd("MGET");
            cmd.arg(part);
            values.extend(reply::list_of(
                READ,
                self.ask(READ, cmd).await?,
                part.len(),
            )?);
        }
        let versions = values.split_off(reads.len());
        let found = values.into_iter().map(|value| {
            let bytes = reply::bytes(READ, value)?;
            Ok(Found {
                bytes,
                ..Found::default()
            })
        });
        let versions = versions
            .into_iter()
            .map(|value| reply::version(READ, value));
        let versions: Vec<u64> = versions.collect::<Result<_>>()?;
        let tags = tags.into_iter().map(str::to_owned);
        Ok((found.collect::<Result<_>>()?, tags.zip(versions).collect()))
    }

    /// Entries of a cluster, by slot.
    async fn entries(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let groups = self.groups(reads.iter().map(|read| read.key));
        let ask = |group: &Vec<usize>| {
            let mut cmd = ::redis::cmd("MGET");
            for place in group {
                cmd.arg(reads[*place].key);
            }
            cmd
        };
        let answers = self.ask_all(READ, groups.iter().map(ask).collect()).await?;
        let mut found = vec![Found::default(); reads.len()];
        for (group, answer) in groups.iter().zip(answers) {
            let entries = reply::list_of(READ, answer, group.len())?;
            for (place, entry) in group.iter().zip(entries) {
                found[*place].bytes = reply::bytes(READ, entry)?;
            }
        }
        Ok(found)
    }
}

fn is_of_wrong_type(error: &Error) -> bool {
    let code = error.source_as::<RedisError>().and_then(RedisError::code);
    code == Some("WRONGTYPE")
}
