//! Versions of tags and the tag epoch.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::join_all;

use super::names::{Kind, Names, apart};
use super::{Redis, millis, random, reply, script};
use crate::error::Result;
use crate::store::{Life, TagVersions};

const VERSIONS: &str = "tag_versions";
const FORGET: &str = "forget_tags";

impl Redis {
    pub(super) async fn versions(&self, tags: &[&str], life: Life) -> Result<TagVersions> {
        match self.names {
            Names::Plain => {
                let keys = tags.iter().map(|tag| apart(tag, Kind::Version));
                let keys = keys.chain([self.epoch_name()]).collect();
                let mut versions = self.made(VERSIONS, keys, random(), life).await?;
                let epoch = versions.pop().unwrap_or(0);
                Ok(TagVersions { versions, epoch })
            }
            // Who forgets moves the epoch first, so who reads it last cannot hold a new version with an old epoch.
            Names::Slotted => Ok(TagVersions {
                versions: self.made_versions(VERSIONS, tags, life).await?,
                epoch: self.epoch(VERSIONS).await?,
            }),
        }
    }

    /// The tag epoch, made if it is missing.
    pub(super) async fn epoch(&self, operation: &'static str) -> Result<u64> {
        let keys = vec![self.epoch_name()];
        let made = self.made(operation, keys, random(), None).await?;
        made.first().copied().ok_or_else(|| reply::odd(operation))
    }

    /// Versions in a cluster, made where missing.
    pub(super) async fn made_versions(
        &self,
        operation: &'static str,
        tags: &[&str],
        life: Life,
    ) -> Result<Vec<u64>> {
        let groups = self.groups(tags.iter().copied());
        let asked = groups.iter().map(|group| {
            let keys = group
                .iter()
                .map(|place| self.names.beside(tags[*place], Kind::Version));
            self.made(operation, keys.collect(), 0, life)
        });
        let mut versions = vec![0; tags.len()];
        for (group, answer) in groups.iter().zip(join_all(asked).await) {
            for (place, version) in group.iter().zip(answer?) {
                versions[*place] = version;
            }
        }
        Ok(versions)
    }

    /// One script call; with a new epoch the last key is the epoch.
    async fn made(
        &self,
        operation: &'static str,
        keys: Vec<Vec<u8>>,
        epoch: u64,
        life: Life,
    ) -> Result<Vec<u64>> {
        let tags = keys.len() - usize::from(epoch != 0);
        let mut cmd = script::VERSIONS.call(keys.len(), 2 + tags, 64 * (keys.len() + 1));
        for key in &keys {
            cmd.arg(key);
        }
        match epoch {
            0 => cmd.arg(b""),
            epoch => cmd.arg(&epoch.to_be_bytes()),
        };
        cmd.arg(millis(life));
        for _ in 0..tags {
            cmd.arg(&random().to_be_bytes());
        }
        let answer = self.ask(operation, cmd).await?;
        let versions = reply::list_of(operation, answer, keys.len())?;
        versions
            .into_iter()
            .map(|version| reply::version(operation, version))
            .collect()
    }

    /// Versions as they are, 0 where there is none.
    pub(super) async fn known_versions(
        &self,
        tags: BTreeSet<&str>,
    ) -> Result<HashMap<String, u64>> {
        let ask = |tag: &&str| {
            let mut cmd = ::redis::cmd("MGET");
            cmd.arg(self.names.beside(tag, Kind::Version));
            cmd
        };
        let answers = self.ask_all("read", tags.iter().map(ask).collect()).await?;
        let mut versions = HashMap::with_capacity(tags.len());
        for (tag, answer) in tags.iter().zip(answers) {
            let version = reply::list_of("read", answer, 1)?.pop();
            let version = reply::version("read", version.unwrap_or(::redis::Value::Nil))?;
            versions.insert((*tag).to_owned(), version);
        }
        Ok(versions)
    }

    pub(super) async fn forget(&self, tags: &[&str]) -> Result<()> {
        let names =
            |tag: &str| [Kind::Version, Kind::Forgotten].map(|kind| self.names.beside(tag, kind));
        let epoch = random();
        self.likely.tags_gone();
        if self.names == Names::Plain {
            let keys = tags.iter().flat_map(|tag| names(tag));
            return self
                .forget_here(keys.chain([self.epoch_name()]).collect(), epoch)
                .await;
        }
        self.forget_here(vec![self.epoch_name()], epoch).await?;
        let groups = self.groups(tags.iter().copied());
        let asked = groups.iter().map(|group| {
            let keys = group.iter().flat_map(|place| names(tags[*place]));
            self.forget_here(keys.collect(), 0)
        });
        join_all(asked).await.into_iter().collect()
    }

    async fn forget_here(&self, keys: Vec<Vec<u8>>, epoch: u64) -> Result<()> {
        let mut cmd = script::FORGET.call(keys.len(), 1, 64 * keys.len());
        for key in &keys {
            cmd.arg(key);
        }
        match epoch {
            0 => cmd.arg(b""),
            epoch => cmd.arg(&epoch.to_be_bytes()),
        };
        self.ask(FORGET, cmd).await?;
        Ok(())
    }
}
