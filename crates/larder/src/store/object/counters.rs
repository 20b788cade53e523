//! Counters: an entry of decimal text, changed by comparing its version.

use super::core::{Core, now};
use super::frame::{self, Kind};
use super::names::Space;
use super::wire::{Mode, Part, Put};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Life;

impl Core {
    pub(super) async fn add(&self, key: &str, by: i64, life: Life) -> Result<i64> {
        if !self.is_conditional("add").await? {
            let why = "it does not honour conditional writes";
            return Err(Error::unsupported("add", self.wire.name, why));
        }
        let path = self.names.path(Space::Entries, key);
        // Those of this process need not spoil each other's rounds.
        let _alone = self.fallback.alone(key).await;
        let mut contest = self.contest("add");
        loop {
            let got = self.wire.get("add", &path, Part::All).await?;
            let mode = got
                .as_ref()
                .map_or(Mode::Create, |got| Mode::Update(got.version.clone()));
            let opened = got.and_then(|got| frame::open(&got.bytes, got.note));
            let alive = opened.filter(|o| o.kind == Kind::Entry && o.until > now());
            let (number, until) = match alive {
                None => (0, self.until(life)),
                Some(o) => (number(&o.body)?, o.until),
            };
            let sum = number.checked_add(by).ok_or_else(|| {
                let message = format!("{number} and {by} make no 64-bit number");
                Error::new(ErrorKind::Store, "add", message)
            })?;
            let object = self.entry("add", key, sum.to_string().as_bytes(), until)?;
            let (put, _) = self.wire.put("add", &path, object, mode).await?;
            if put == Put::Done {
                return Ok(sum);
            }
            contest.lost().await?;
        }
    }
}

fn number(body: &[u8]) -> Result<i64> {
    let text = std::str::from_utf8(body).ok();
    // `parse` alone would take `+1` and `-0`.
    let number = text.and_then(|text| text.parse::<i64>().ok().filter(|n| n.to_string() == text));
    number.ok_or_else(|| Error::new(ErrorKind::WrongType, "add", "the entry is no whole number"))
}
