//! What the URL of a directory says.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::Address;

/// Where the files are and how they are to be kept.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) root: PathBuf,
    pub(super) size: u64,
    pub(super) entries: u64,
    pub(super) sync: Sync,
    pub(super) busy: Duration,
    pub(super) sweep: Duration,
    pub(super) threads: usize,
    pub(super) sync_reads: SyncReads,
}

/// What is forced to the disk before a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sync {
    Nothing,
    File,
    FileAndDirectory,
}

/// Which thread reads for a caller that parks its own thread anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncReads {
    Inline,
    Thread,
}

impl Options {
    pub(super) fn take(address: &mut Address) -> Result<Self> {
        let root = root(address)?;
        let sync = match address.word("fsync", &["none", "file", "full"])? {
            Some("file") => Sync::File,
            Some("full") => Sync::FileAndDirectory,
            _ => Sync::Nothing,
        };
        let sync_reads = match address.word("sync_reads", &["inline", "thread"])? {
            Some("inline") => SyncReads::Inline,
            _ => SyncReads::Thread,
        };
        let threads = address.number("threads")?.unwrap_or(4);
        if !(1..=64).contains(&threads) {
            return Err(config("`threads` is a number from 1 to 64"));
        }
        let entries = address.number("entries")?.unwrap_or(u64::MAX);
        if entries == 0 {
            return Err(config(
                "`entries` is at least 1: leave it out for no such bound",
            ));
        }
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let sweep = address.span("sweep")?.unwrap_or(minutes(5));
        if sweep < Duration::from_millis(10) {
            return Err(config("`sweep` is at least `10ms`"));
        }
        let busy = address.span("busy_timeout")?;
        Ok(Self {
            root,
            size: address.bytes("size")?.unwrap_or(1_000_000_000),
            entries,
            sync,
            busy: busy.unwrap_or(Duration::from_secs(1)),
            sweep,
            threads: threads as usize,
            sync_reads,
        })
    }
}

/// `file:///abs/dir`, `file://./rel/dir`.
fn root(address: &Address) -> Result<PathBuf> {
    let hosts = address.hosts(0);
    let text = match &hosts[..] {
        [] => address.path().to_owned(),
        [(host, 0)] => format!("{host}{}", address.path()),
        _ => {
            return Err(config(
                "files are in one directory: `file:///var/cache/app`",
            ));
        }
    };
    if address.user().is_some() || address.password().is_some() {
        return Err(config("a directory has no user and no password"));
    }
    // `file:///C:/cache`
    let text = match text.as_bytes() {
        [b'/', drive, b':', ..] if cfg!(windows) && drive.is_ascii_alphabetic() => &text[1..],
        _ => &text,
    };
    if text.trim_matches('/').is_empty() || text.contains('\0') {
        return Err(config(
            "expected the path of a directory: `file:///var/cache/app`, `file://./cache`",
        ));
    }
    Ok(PathBuf::from(text))
}

fn config(message: &str) -> Error {
    Error::new(ErrorKind::Config, "file", message)
}
