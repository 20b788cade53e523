//! Reading, leasing and filling: each lease is the version of an object that stands.

use bytes::Bytes;
use futures_util::future::{try_join, try_join3};
use hmac_sha256::Hash;
use object_store::UpdateVersion;
use object_store::path::Path;

use super::contest::{ROUNDS, pause};
use super::core::{Core, now};
use super::frame::{self, Kind, Object};
use super::names::Space;
use super::tags::Record;
use super::wire::{Got, Mode, Part, Put, each};
use crate::error::Result;

use crate::store::{Ask, Fill, Found, Head, MAGIC, Read, Token};

/// What an object is for a reader.
struct Judged {
    bytes: Option<Bytes>,
    servable: bool,
}

/// A lease taken apart.
enum Right {
    /// The object must still be this one.
    Version(UpdateVersion),
    /// The generation of the key must still be this one, in this process.
    Generation(u64),
}

impl Core {
    /// One question: one round of requests for a hit, two where a lease is given.
    pub(super) async fn read_one(&self, read: &Read<'_>) -> Result<Found> {
        let path = self.names.path(Space::Entries, read.key);
        let tags = read.tags.iter().map(|tag| self.tag("read", tag)).collect();
        let entry = self.wire.get("read", &path, Part::All);
        let (mut got, mut tags) = try_join(entry, each(tags)).await?;
        for _ in 0..ROUNDS {
            let judged = self.judge(read, got.as_ref(), &tags).await?;
            let due = match read.ask {
                Ask::Entry => false,
                Ask::EntryOrLease => !judged.servable,
                Ask::EntryAndLease => true,
            };
            let mut found = Found {
                bytes: judged.bytes.map(Vec::from),
                versions: versions(&tags),
                ..Found::default()
            };
            if !due {
                return Ok(found);
            }
            let until = self.until(read.life.map(|life| life.saturating_add(read.lease)));
            let made = read.tags.iter().zip(&tags);
            let made = made.map(|(tag, record)| self.made("read", tag, record.clone(), until));
            let standing = got.as_ref().map(|got| got.version.clone());
            let lease = self.lease(&path, read, standing);
            let (lease, records, epoch) =
                try_join3(lease, each(made.collect()), self.epoch("read")).await?;
            tags = records.into_iter().map(Some).collect();
            if lease.is_some() {
                found.lease = lease;
                found.versions = versions(&tags);
                found.epoch = epoch;
                return Ok(found);
            }
            // Somebody put the object meanwhile: an entry, or the marker of a lease to share.
            got = self.wire.get("read", &path, Part::All).await?;
        }
        // Without a lease nothing is stored: others are at it.
        let judged = self.judge(read, got.as_ref(), &tags).await?;
        Ok(Found {
            bytes: judged.bytes.map(Vec::from),
            versions: versions(&tags),
            ..Found::default()
        })
    }

    async fn judge(
        &self,
        read: &Read<'_>,
        got: Option<&Got>,
        tags: &[Option<Record>],
    ) -> Result<Judged> {
        let body = got.and_then(|got| {
            let opened = frame::open(&got.bytes, got.note)?;
            let named = opened.key.is_none_or(|key| key == read.key);
            (opened.kind == Kind::Entry && named && opened.until > now()).then_some(opened.body)
        });
        let Some(body) = body else {
            return Ok(Judged {
                bytes: None,
                servable: false,
            });
        };
        let Some((head, _)) = Head::parse(&body) else {
            return Ok(Judged {
                servable: body.first() != Some(&MAGIC),
                bytes: Some(body),
            });
        };
        if read.ask != Ask::EntryOrLease {
            // Whoever asks for what there is compares versions by himself.
            return Ok(Judged {
                servable: true,
                bytes: Some(body),
            });
        }
        let known = |name: &str| {
            let at = read.tags.iter().position(|tag| *tag == name)?;
            Some(tags[at].as_ref().map_or(0, |record| record.version))
        };
        let mut unknown = Vec::new();
        let mut dead = false;
        for tag in head.tags() {
            match known(&tag.name) {
                Some(version) => dead |= version == 0 || version != tag.version,
                None => unknown.push(tag),
            }
        }
        if !dead && !unknown.is_empty() {
            let records = unknown.iter().map(|tag| self.tag("read", &tag.name));
            let records = each(records.collect()).await?;
            let same = |(tag, record): (_, &Option<Record>)| {
                let tag: &crate::store::Tag = tag;
                let record = record.as_ref();
                record.is_some_and(|r| r.version != 0 && r.version == tag.version)
            };
            dead = !unknown.into_iter().zip(&records).all(same);
        }
        Ok(Judged {
            servable: !dead && head.can_be_served(read.now),
            bytes: (!dead).then_some(body),
        })
    }

    /// A lease on what stands, or on a marker put where nothing stands; `None` when somebody else put something there first.
    async fn lease(
        &self,
        path: &Path,
        read: &Read<'_>,
        standing: Option<UpdateVersion>,
    ) -> Result<Option<Token>> {
        let until = self.until(Some(read.lease));
        if !self.is_conditional("read").await? {
            let right = Right::Generation(self.fallback.generation(read.key));
            return Ok(Some(right.token(until)));
        }
        let version = match standing {
            Some(version) => version,
            None => {
                let marker = Object::marker(until);
                let put = self.wire.put("read", path, marker, Mode::Create).await?;
                let (Put::Done, Some(version)) = put else {
                    return Ok(None);
                };
                version
            }
        };
        Ok(Some(Right::Version(version).token(until)))
    }

    /// Stores under a lease; `false` when it was lost.
    pub(super) async fn fill_one(&self, fill: &Fill<'_>) -> Result<bool> {
        let path = self.names.path(Space::Entries, fill.key);
        let object = self.entry("fill", fill.key, fill.bytes, self.until(fill.life))?;
        let Some((right, until)) = Right::parse(fill.lease) else {
            return Ok(false);
        };
        if until <= now() {
            return Ok(false);
        }
        match right {
            Right::Version(version) => self.fill_version(&path, object, version).await,
            Right::Generation(generation) => {
                let hold = self.fallback.hold(fill.key).await;
                if hold.generation() != generation {
                    return Ok(false);
                }
                self.wire.put("fill", &path, object, Mode::Always).await?;
                Ok(true)
            }
        }
    }

    async fn fill_version(
        &self,
        path: &Path,
        object: Object,
        mut version: UpdateVersion,
    ) -> Result<bool> {
        let lease = word(&version);
        let object = object.under(lease);
        for round in 0..ROUNDS {
            let mode = Mode::Update(version);
            let (put, _) = self.wire.put("fill", path, object.clone(), mode).await?;
            if put == Put::Done {
                return Ok(true);
            }
            // Who shares the lease may have filled first: then it stands all the same.
            let Some(got) = self.wire.get("fill", path, Part::Note).await? else {
                return Ok(false);
            };
            if got.note.is_none_or(|note| note.lease != lease) {
                return Ok(false);
            }
            version = got.version;
            pause(5 << round).await;
        }
        Ok(false)
    }
}

/// What an object says of the lease that it was filled under; never 0.
fn word(version: &UpdateVersion) -> u64 {
    let mut hash = Hash::new();
    for part in [&version.e_tag, &version.version] {
        hash.update(part.as_deref().unwrap_or(""));
        hash.update([0]);
    }
    let hash = hash.finalize();
    let first = hash.first_chunk().expect("larder: a hash has 32 bytes");
    u64::from_be_bytes(*first).max(1)
}

impl Right {
    fn token(&self, until: u64) -> Token {
        let mut out = Vec::with_capacity(64);
        match self {
            Self::Version(version) => {
                out.push(b'V');
                out.extend(until.to_be_bytes());
                for part in [&version.e_tag, &version.version] {
                    out.push(u8::from(part.is_some()));
                    let part = part.as_deref().unwrap_or("");
                    out.extend((part.len() as u32).to_be_bytes());
                    out.extend(part.as_bytes());
                }
            }
            Self::Generation(generation) => {
                out.push(b'G');
                out.extend(until.to_be_bytes());
                out.extend(generation.to_be_bytes());
            }
        }
        Token::new(out)
    }

    fn parse(token: &Token) -> Option<(Self, u64)> {
        let (kind, rest) = token.as_bytes().split_first()?;
        let (until, mut rest) = rest.split_first_chunk()?;
        let until = u64::from_be_bytes(*until);
        if *kind == b'G' {
            let generation = u64::from_be_bytes(rest.try_into().ok()?);
            return Some((Self::Generation(generation), until));
        }
        let mut part = || {
            let (is_there, tail) = rest.split_first()?;
            let (length, tail) = tail.split_first_chunk()?;
            let (text, tail) = tail.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            rest = tail;
            let text = std::str::from_utf8(text).ok()?.to_owned();
            Some((*is_there == 1).then_some(text))
        };
        let version = UpdateVersion {
            e_tag: part()?,
            version: part()?,
        };
        (*kind == b'V' && rest.is_empty()).then_some((Self::Version(version), until))
    }
}

fn versions(tags: &[Option<Record>]) -> Vec<u64> {
    let version = |record: &Option<Record>| record.as_ref().map_or(0, |record| record.version);
    tags.iter().map(version).collect()
}
