//! The cached functions: what is worth knowing of a file.

use std::fmt;
use std::io;
use std::sync::Arc;

use larder::cached;
use tokio::io::AsyncReadExt;

/// The SHA-256 of a file.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Digest([u8; 32]);

#[cached(key = "digest:{path}", ttl = "10m")]
pub(crate) async fn digest(path: &str) -> io::Result<Digest> {
    Ok(Digest(hmac_sha256::Hash::hash(
        &tokio::fs::read(path).await?,
    )))
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Counts {
    pub(crate) lines: usize,
    pub(crate) words: usize,
}

/// `None` for a binary file; that too is kept.
#[cached(key = "counts:{path}", ttl = "10m")]
pub(crate) fn counts(path: &str) -> io::Result<Option<Counts>> {
    let bytes = std::fs::read(path)?;
    Ok(std::str::from_utf8(&bytes).ok().map(|text| Counts {
        lines: text.lines().count(),
        words: text.split_whitespace().count(),
    }))
}

/// Reads in small pieces and keeps an `Arc`: each hit shares the page instead of copying it.
#[cached(key = "render:{path}", ttl = "10m")]
pub(crate) async fn render(path: &str) -> io::Result<Arc<str>> {
    let mut file = tokio::fs::File::open(path).await?;
    let (mut piece, mut head) = ([0; 4096], Vec::new());
    let (mut size, mut breaks) = (0, 0);
    loop {
        let read = file.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        size += read;
        breaks += piece[..read].iter().filter(|byte| **byte == b'\n').count();
        let room = 400_usize.saturating_sub(head.len());
        head.extend_from_slice(&piece[..read.min(room)]);
    }
    let title = escaped(path);
    let head = escaped(&String::from_utf8_lossy(&head));
    Ok(format!("<article><h1>{title}</h1><pre>{head}</pre><p>{size} bytes, {breaks} line breaks</p></article>").into())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
