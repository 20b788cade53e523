//! What the URL of a database says.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::Address;

/// Where the database is and how it is to behave.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// `None`: in memory.
    pub(super) path: Option<PathBuf>,
    pub(super) size: u64,
    pub(super) entries: u64,
    pub(super) synchronous: &'static str,
    pub(super) busy: Duration,
    pub(super) sweep: Duration,
    pub(super) readers: usize,
    pub(super) broken: Broken,
    pub(super) sync_reads: SyncReads,
}

/// What happens to a file that is no sound database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Refused,
    Replaced,
}

/// Which thread reads for a caller that parks its own thread anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncReads {
    Inline,
    Thread,
}

impl Options {
    pub(super) fn take(address: &mut Address) -> Result<Self> {
        let path = path(address)?;
        let default_size = if path.is_some() {
            1_000_000_000
        } else {
            64_000_000
        };
        let word = |found: Option<&'static str>, default| found.unwrap_or(default);
        let span = |address: &mut Address, name, default| -> Result<Duration> {
            Ok(address.span(name)?.unwrap_or(default))
        };
        let synchronous = address.word("synchronous", &["normal", "full", "off"])?;
        let broken = address.word("on_corrupt", &["error", "replace"])?;
        let sync_reads = address.word("sync_reads", &["inline", "thread"])?;
        let readers = address.number("readers")?.unwrap_or(2);
        if !(1..=64).contains(&readers) {
            return Err(config("`readers` is a number from 1 to 64"));
        }
        let entries = address.number("entries")?.unwrap_or(u64::MAX);
        if entries == 0 {
            return Err(config(
                "`entries` is at least 1: leave it out for no such bound",
            ));
        }
        let sweep = span(address, "sweep", Duration::from_secs(60))?;
        if sweep < Duration::from_millis(10) {
            return Err(config("`sweep` is at least `10ms`"));
        }
        Ok(Self {
            path,
            size: address.bytes("size")?.unwrap_or(default_size),
            entries,
            synchronous: word(synchronous, "normal"),
            busy: span(address, "busy_timeout", Duration::from_secs(1))?,
            sweep,
            readers: readers as usize,
            broken: match word(broken, "error") {
                "replace" => Broken::Replaced,
                _ => Broken::Refused,
            },
            sync_reads: match word(sync_reads, "thread") {
                "inline" => SyncReads::Inline,
                _ => SyncReads::Thread,
            },
        })
    }
}

/// `sqlite:///abs.db`, `sqlite://./rel.db`, `sqlite://memory`.
fn path(address: &Address) -> Result<Option<PathBuf>> {
    let hosts = address.hosts(0);
    let text = match &hosts[..] {
        [] => address.path().to_owned(),
        [(host, 0)] => format!("{host}{}", address.path()),
        _ => {
            return Err(config(
                "a database is one file: `sqlite:///var/cache/app.db`",
            ));
        }
    };
    if address.user().is_some() || address.password().is_some() {
        return Err(config("a database file has no user and no password"));
    }
    if text == "memory" {
        return Ok(None);
    }
    // `sqlite:///C:/cache.db`
    let text = match text.as_bytes() {
        [b'/', drive, b':', ..] if cfg!(windows) && drive.is_ascii_alphabetic() => &text[1..],
        _ => &text,
    };
    if text.is_empty() || text.ends_with('/') || text.contains('\0') {
        return Err(config(
            "expected the path of a file, or `memory`: `sqlite:///var/cache/app.db`, `sqlite://./app.db`, `sqlite://memory`",
        ));
    }
    Ok(Some(PathBuf::from(text)))
}

fn config(message: &str) -> Error {
    Error::new(ErrorKind::Config, "sqlite", message)
}
