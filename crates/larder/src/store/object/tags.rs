//! Versions of tags, one object each, and the tag epoch.

use std::time::Duration;

use object_store::UpdateVersion;

use super::core::{Core, now};
use super::frame::{self, FOREVER, Kind, Object};
use super::names::Space;
use super::random;
use super::wire::{Mode, Part, Put, each};
use crate::error::Result;
use crate::store::{Life, TagVersions};

/// A record is made to live this long at least, so that it is seldom written again only to live longer.
const LONG: Duration = Duration::from_secs(30 * 24 * 3600);
/// The epoch while no tag was ever forgotten.
const FIRST_EPOCH: u64 = 1;

/// The record of a tag.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// 0 when what stands there is not ours.
    pub(super) version: u64,
    until: u64,
    at: UpdateVersion,
}

impl Core {
    /// The record of a tag. Its end decides only when it may be swept: while it stands, it counts.
    pub(super) async fn tag(&self, operation: &'static str, tag: &str) -> Result<Option<Record>> {
        let path = self.names.path(Space::Tags, tag);
        let got = self.wire.get(operation, &path, Part::All).await?;
        Ok(got.map(|got| {
            let opened = frame::open(&got.bytes, got.note);
            let ours = opened.filter(|o| o.kind == Kind::Tag && o.key.as_deref() == Some(tag));
            Record {
                version: ours.as_ref().and_then(|o| number(&o.body)).unwrap_or(0),
                until: ours.map_or(0, |o| o.until),
                at: got.version,
            }
        }))
    }

    /// A record that lives until then at least: the given one if it does, else that one with a longer life, else a new one.
    pub(super) async fn made(
        &self,
        operation: &'static str,
        tag: &str,
        mut record: Option<Record>,
        until: u64,
    ) -> Result<Record> {
        let path = self.names.path(Space::Tags, tag);
        let mut contest = self.contest(operation);
        loop {
            let standing = record.as_ref().filter(|record| record.version != 0);
            if let Some(standing) = standing.filter(|standing| standing.until >= until) {
                return Ok(standing.clone());
            }
            let version = standing.map_or_else(fresh, |standing| standing.version);
            let until = longer(until);
            let object = Object::framed(Kind::Tag, tag, until, &version.to_be_bytes());
            let mode = match &record {
                _ if !self.is_conditional(operation).await? => Mode::Always,
                Some(record) => Mode::Update(record.at.clone()),
                None => Mode::Create,
            };
            let (put, at) = self.wire.put(operation, &path, object, mode).await?;
            if let (Put::Done, Some(at)) = (put, at) {
                return Ok(Record { version, until, at });
            }
            contest.lost().await?;
            record = self.tag(operation, tag).await?;
        }
    }

    pub(super) async fn epoch(&self, operation: &'static str) -> Result<u64> {
        let path = self.names.own("epoch");
        let got = self.wire.get(operation, &path, Part::All).await?;
        let opened = got.and_then(|got| frame::open(&got.bytes, got.note));
        let epoch = opened.filter(|o| o.kind == Kind::Epoch);
        Ok(epoch.and_then(|o| number(&o.body)).unwrap_or(FIRST_EPOCH))
    }

    pub(super) async fn versions(&self, tags: &[&str], life: Life) -> Result<TagVersions> {
        let until = self.until(life);
        let one = async |tag: &&str| {
            let record = self.tag("tag_versions", tag).await?;
            let record = self.made("tag_versions", tag, record, until).await?;
            Ok(record.version)
        };
        let versions = each(tags.iter().map(one).collect()).await?;
        // After the versions: who sees a version that came after a forgetting sees its epoch too.
        let epoch = self.epoch("tag_versions").await?;
        Ok(TagVersions { versions, epoch })
    }

    pub(super) async fn forget(&self, tags: &[&str]) -> Result<()> {
        let epoch = Object::framed(Kind::Epoch, "", FOREVER, &fresh().to_be_bytes());
        let path = self.names.own("epoch");
        // Before the versions: see `versions`.
        self.wire
            .put("forget_tags", &path, epoch, Mode::Always)
            .await?;
        let paths = tags.iter().map(|tag| self.names.path(Space::Tags, tag));
        self.wire.delete("forget_tags", paths.collect()).await
    }
}

fn longer(until: u64) -> u64 {
    let now = now();
    let double = until.saturating_add(until.saturating_sub(now));
    double.max(now.saturating_add(LONG.as_millis() as u64))
}

fn fresh() -> u64 {
    random().max(FIRST_EPOCH + 1)
}

fn number(body: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(body.try_into().ok()?);
    (number != 0).then_some(number)
}
