//! What stands in a file.
//!
//! ```text
//! content, then key, then
//! offset  size
//!      0     8  when it expires   milliseconds since 1970-01-01 UTC, 2^63-1: never
//!      8     4  length of the key
//!     12     8  length of the content
//!     20     8  XXH3-64 of the content
//!     28     8  XXH3-64 of the key and of the 28 bytes above
//!     36     8  "larder", 0, version of this layout: 1
//! ```
//!
//! All numbers are big-endian. What describes the content stands behind it: a hit is read in one piece and needs no copy, a file that broke off
//! has no end, and what remains of a life is read from the end alone. A file with anything else in it is foreign: it is nothing, and it is left alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const END: usize = 44;
const MAGIC: &[u8; 8] = b"larder\0\x01";

/// A file's content and its times.
pub(super) struct Record {
    pub(super) content: Vec<u8>,
    pub(super) expires: i64,
    /// Kept as the file's time of modification.
    pub(super) used: SystemTime,
    pub(super) file: File,
}

/// What the end of a file says.
#[derive(Debug)]
pub(super) struct End {
    pub(super) key: String,
    pub(super) expires: i64,
    /// Of the file, in bytes.
    pub(super) size: u64,
}

struct Fields {
    expires: i64,
    key: usize,
    content: u64,
    sum: u64,
}

/// Opens what is a plain file, and nothing else that may stand at its place; `None`: nothing of that kind is there.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(target_os = "linux")]
    {
        // Neither follow a link nor wait for the other end of a pipe.
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    match options.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_nothing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_nothing(error: &io::Error) -> bool {
    #[cfg(target_os = "linux")]
    if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENXIO)) {
        return true;
    }
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

/// Reads a file of at most so many bytes; `None` unless it is whole and this key's.
pub(super) fn read(path: &Path, key: &str, most: u64) -> io::Result<Option<Record>> {
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let metadata = file.metadata()?;
    let length = metadata.len();
    let least = (END + key.len()) as u64;
    if !metadata.is_file() || length < least || length - least > most {
        return Ok(None);
    }
    let Some(mut bytes) = read_all(&mut file, length as usize)? else {
        return Ok(None);
    };
    let at = bytes.len() - END - key.len();
    let (content, end) = bytes.split_at(at);
    let Some((fields, found)) = parse(end) else {
        return Ok(None);
    };
    if found != key.as_bytes() || fields.content != at as u64 || fields.sum != xxh3_64(content) {
        return Ok(None);
    }
    bytes.truncate(at);
    Ok(Some(Record {
        content: bytes,
        expires: fields.expires,
        used: metadata.modified()?,
        file,
    }))
}

/// Reads so many bytes; `None` if there are fewer.
fn read_all(file: &mut File, length: usize) -> io::Result<Option<Vec<u8>>> {
    /// From here on filling room with zeros first costs more than reading in several steps.
    const LARGE: usize = 128 << 10;
    if length < LARGE {
        let mut bytes = vec![0; length];
        return match file.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        };
    }
    let mut bytes = Vec::with_capacity(length);
    file.take(length as u64).read_to_end(&mut bytes)?;
    Ok((bytes.len() == length).then_some(bytes))
}

/// Reads the end of a file only; `None` unless it is one of ours.
pub(super) fn end(path: &Path) -> io::Result<Option<End>> {
    // A key that is longer is read in a second step.
    const GUESS: u64 = 512;
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let metadata = file.metadata()?;
    let size = metadata.len();
    if !metadata.is_file() || size < END as u64 {
        return Ok(None);
    }
    let mut bytes = last(&mut file, size, GUESS)?;
    let stated = match fields(&bytes) {
        Some(fields) => (fields.key + END) as u64,
        None => return Ok(None),
    };
    if stated > size {
        return Ok(None);
    }
    if stated > bytes.len() as u64 {
        bytes = last(&mut file, size, stated)?;
    }
    let start = bytes.len().checked_sub(stated as usize);
    let parsed = start.and_then(|start| parse(&bytes[start..]));
    Ok(parsed.and_then(|(fields, key)| {
        (fields.content + stated == size).then_some(End {
            key: std::str::from_utf8(key).ok()?.to_owned(),
            expires: fields.expires,
            size,
        })
    }))
}

fn last(file: &mut File, size: u64, most: u64) -> io::Result<Vec<u8>> {
    let length = size.min(most);
    file.seek(SeekFrom::Start(size - length))?;
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The fields that stand at the end of these bytes.
fn fields(bytes: &[u8]) -> Option<Fields> {
    let end = bytes.last_chunk::<END>()?;
    let number = |at: usize| end[at..].first_chunk().map(|b| u64::from_be_bytes(*b));
    if &end[36..] != MAGIC {
        return None;
    }
    Some(Fields {
        expires: number(0)? as i64,
        key: u32::from_be_bytes(*end[8..].first_chunk()?) as usize,
        content: number(12)?,
        sum: number(20)?,
    })
}

/// The fields, and the key, if these bytes are a key and an end that belong together.
fn parse(bytes: &[u8]) -> Option<(Fields, &[u8])> {
    let fields = fields(bytes)?;
    let (described, rest) = bytes.split_at_checked(bytes.len().checked_sub(16)?)?;
    let sum = u64::from_be_bytes(*rest.first_chunk()?);
    let key = bytes.get(..fields.key)?;
    (described.len() == fields.key + END - 16 && xxh3_64(described) == sum).then_some((fields, key))
}

/// Key and end, as they follow this content.
pub(super) fn ending(key: &str, content: &[u8], expires: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + END);
    bytes.extend(key.as_bytes());
    bytes.extend(expires.to_be_bytes());
    // Longer keys do not come from anywhere: their length was checked when they came in.
    bytes.extend(u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend((content.len() as u64).to_be_bytes());
    bytes.extend(xxh3_64(content).to_be_bytes());
    let mut sum = Xxh3::new();
    sum.update(&bytes);
    bytes.extend(sum.digest().to_be_bytes());
    bytes.extend(MAGIC);
    bytes
}

/// Writes a record into an empty file and sets its times: modified is used, accessed is a hint of when it expires, so that a sweeper need not open it.
pub(super) fn write(file: &mut File, key: &str, content: &[u8], expires: i64) -> io::Result<()> {
    file.write_all(content)?;
    file.write_all(&ending(key, content, expires))?;
    let hint = SystemTime::UNIX_EPOCH + Duration::from_millis(expires.max(0) as u64).min(LATEST);
    let times = std::fs::FileTimes::new()
        .set_modified(SystemTime::now())
        .set_accessed(hint);
    // Without it the file is opened to see when it expires.
    drop(file.set_times(times));
    Ok(())
}

/// What every file system can hold: 2038-01-19.
const LATEST: Duration = Duration::from_secs(i32::MAX as u64);
