//! A shard: the lock under which its names are changed, and in the locked file the leases of its keys and how much it holds.
//!
//! ```text
//! offset  size
//!      0     8  "shard", 0, 0, version of this layout: 1
//!      8     8  how many entries there are
//!     16     8  how many bytes they take
//!     24     8  XXH3-64 of the 24 bytes above
//!     32        leases, one behind the other:
//!            4  length of the key      8  token      8  end      the key      8  XXH3-64 of all that
//! ```
//!
//! The operating system ends the lock of a process that dies. What it left half written does not fit its checksum: then leases are lost, which is
//! always safe, and the sweeper counts anew.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;
use xxhash_rust::xxh3::xxh3_64;

use super::disk::{Disk, failure};
use super::name::digits;
use crate::error::ErrorKind;
use crate::store::{Failure, Token, unique};

const MAGIC: &[u8; 8] = b"shard\0\0\x01";
const HEAD: usize = 32;
/// Of a lease, without its key.
const AROUND: usize = 28;
/// More leases than keys of one shard can be loading; a larger file is none of ours.
const MOST: u64 = 64 << 20;

/// How much a shard holds. Exact but for what a process did not come to say when it died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holds {
    pub(super) entries: i64,
    pub(super) bytes: i64,
}

/// A shard that this thread alone may change.
pub(super) struct Shard<'a> {
    file: File,
    holds: Holds,
    leases: Vec<Lease>,
    /// Whether there is more in the file than the leases that were understood.
    torn: bool,
    /// Where the next lease is appended.
    length: u64,
    now: i64,
    /// Order: released after the file's lock.
    _mutex: MutexGuard<'a, ()>,
}

struct Lease {
    key: String,
    token: u64,
    ends: i64,
}

impl Disk {
    /// Waits for a shard; not without a limit, because another process may have been stopped in the middle.
    pub(super) fn lock(&self, shard: u8, now: i64) -> Result<Shard<'_>, Failure> {
        let until = Instant::now() + self.options.busy;
        let busy = || {
            let text = "another holds the lock of these files for too long";
            Failure::new(ErrorKind::Unavailable, text)
        };
        let mutex = self.mutexes[usize::from(shard)]
            .try_lock_until(until)
            .ok_or_else(busy)?;
        let directory = self.options.root.join("shards");
        let path = directory.join(digits(shard));
        let mut pause = Duration::from_micros(50);
        loop {
            let file = match open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.make_directory(&directory)?;
                    open(&path)
                }
                opened => opened,
            };
            let file = file.map_err(failure)?;
            match file.try_lock() {
                // Somebody may have removed the file after it was opened: that lock binds nobody.
                Ok(()) if is_linked(&file).map_err(failure)? => {
                    return Shard::load(file, now, mutex).map_err(failure);
                }
                Ok(()) => {}
                Err(TryLockError::Error(error)) => return Err(failure(error)),
                Err(TryLockError::WouldBlock) => {
                    if Instant::now() >= until {
                        return Err(busy());
                    }
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(2));
                }
            }
        }
    }

    /// How much all shards hold, as they say; not locked, and so not all of one instant.
    pub(super) fn holds(&self) -> Holds {
        let mut sum = Holds::default();
        for shard in 0..=u8::MAX {
            let path = self.options.root.join("shards").join(digits(shard));
            let mut head = [0; HEAD];
            if let Ok(mut file) = File::open(path)
                && file.read_exact(&mut head).is_ok()
                && let Some(holds) = parse_head(&head)
            {
                sum.entries += holds.entries;
                sum.bytes += holds.bytes;
            }
        }
        sum
    }

    /// Whether a shard was ever changed: else nothing is in it.
    pub(super) fn has_shard(&self, shard: u8) -> bool {
        let path = self.options.root.join("shards").join(digits(shard));
        std::fs::symlink_metadata(path).is_ok()
    }
}

impl<'a> Shard<'a> {
    fn load(mut file: File, now: i64, mutex: MutexGuard<'a, ()>) -> io::Result<Self> {
        let mut bytes = Vec::new();
        (&mut file).take(MOST).read_to_end(&mut bytes)?;
        let head = bytes.first_chunk::<HEAD>().and_then(parse_head);
        let mut leases = Vec::new();
        let mut rest = match head {
            Some(_) => &bytes[HEAD..],
            None => &[],
        };
        let mut length = HEAD as u64;
        while let Some((lease, behind)) = parse_lease(rest) {
            length += (rest.len() - behind.len()) as u64;
            rest = behind;
            leases.push(lease);
        }
        let shard = Self {
            file,
            holds: head.unwrap_or_default(),
            leases,
            torn: head.is_none() || !rest.is_empty(),
            length,
            now,
            _mutex: mutex,
        };
        Ok(shard)
    }

    /// The token that stands for the key, which then stands until `ends` at least, or a new one.
    pub(super) fn lease(&mut self, key: &str, ends: i64) -> Result<Token, Failure> {
        let now = self.now;
        let standing = self
            .leases
            .iter()
            .filter(|lease| lease.key == key && lease.ends > now)
            .max_by_key(|lease| lease.ends);
        let token = match standing {
            Some(lease) if lease.ends >= ends => return Ok(token_of(lease.token)),
            Some(lease) => lease.token,
            None => unique(),
        };
        let lease = Lease {
            key: key.to_owned(),
            token,
            ends,
        };
        let gone = self.leases.iter().filter(|l| l.ends <= now).count();
        let bytes = lease.to_bytes();
        self.leases.push(lease);
        // Mostly one is added; what is over is cleared away when it is the greater part.
        if self.torn || gone > 16 && gone > self.leases.len() / 2 {
            self.leases.retain(|lease| lease.ends > now);
            self.rewrite().map_err(failure)?;
        } else {
            self.file
                .seek(SeekFrom::Start(self.length))
                .and_then(|_| self.file.write_all(&bytes))
                .map_err(failure)?;
            self.length += bytes.len() as u64;
        }
        Ok(token_of(token))
    }

    pub(super) fn stands(&self, key: &str, token: &Token) -> bool {
        self.leases.iter().any(|lease| {
            lease.key == key
                && lease.ends > self.now
                && lease.token.to_be_bytes() == *token.as_bytes()
        })
    }

    /// Ends the leases of keys. Order: before the keys are changed, so that no fill comes after.
    pub(super) fn end_leases(&mut self, which: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let before = self.leases.len();
        self.leases.retain(|lease| !which(&lease.key));
        if self.leases.len() == before {
            return Ok(());
        }
        self.rewrite().map_err(failure)
    }

    /// Notes that the shard holds more or less.
    pub(super) fn change(&mut self, entries: i64, bytes: i64) -> Result<(), Failure> {
        self.state(Holds {
            entries: self.holds.entries + entries,
            bytes: self.holds.bytes + bytes,
        })
    }

    /// Says what the shard holds.
    pub(super) fn state(&mut self, holds: Holds) -> Result<(), Failure> {
        if holds == self.holds && !self.torn {
            return Ok(());
        }
        self.holds = holds;
        if self.torn {
            return self.rewrite().map_err(failure);
        }
        let head = head(holds);
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(&head))
            .map_err(failure)
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let mut bytes = head(self.holds).to_vec();
        self.leases
            .iter()
            .for_each(|lease| bytes.extend(lease.to_bytes()));
        // Order: a process that dies in between must leave no lease behind that was ended.
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&bytes)?;
        self.length = bytes.len() as u64;
        self.torn = false;
        Ok(())
    }
}

impl Lease {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(AROUND + self.key.len());
        let length = u32::try_from(self.key.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.token.to_be_bytes());
        bytes.extend(self.ends.to_be_bytes());
        bytes.extend(self.key.as_bytes());
        bytes.extend(xxh3_64(&bytes).to_be_bytes());
        bytes
    }
}

fn head(holds: Holds) -> [u8; HEAD] {
    let mut bytes = [0; HEAD];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&holds.entries.to_be_bytes());
    bytes[16..24].copy_from_slice(&holds.bytes.to_be_bytes());
    let sum = xxh3_64(&bytes[..24]);
    bytes[24..].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn parse_head(bytes: &[u8; HEAD]) -> Option<Holds> {
    let number = |at: usize| bytes[at..].first_chunk().map(|b| u64::from_be_bytes(*b));
    (&bytes[..8] == MAGIC && number(24)? == xxh3_64(&bytes[..24])).then_some(Holds {
        entries: number(8)? as i64,
        bytes: number(16)? as i64,
    })
}

/// The first lease, and what stands behind it; `None` where there is no sound one.
fn parse_lease(bytes: &[u8]) -> Option<(Lease, &[u8])> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let (lease, behind) = bytes.split_at_checked(length.checked_add(AROUND)?)?;
    let (described, sum) = lease.split_last_chunk::<8>()?;
    if u64::from_be_bytes(*sum) != xxh3_64(described) {
        return None;
    }
    let number = |at: usize| {
        described[at..]
            .first_chunk()
            .map(|b| u64::from_be_bytes(*b))
    };
    let lease = Lease {
        token: number(4)?,
        ends: number(12)? as i64,
        key: std::str::from_utf8(&described[20..]).ok()?.to_owned(),
    };
    Some((lease, behind))
}

fn token_of(token: u64) -> Token {
    Token::new(token.to_be_bytes())
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
        #[cfg(target_os = "linux")]
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    options.open(path)
}

#[cfg(unix)]
fn is_linked(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.nlink() > 0)
}

/// Elsewhere a file that is open cannot be removed.
#[cfg(not(unix))]
fn is_linked(_: &File) -> io::Result<bool> {
    Ok(true)
}
