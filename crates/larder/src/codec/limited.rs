//! A buffer with an end.

use std::io;

use super::wire::Coded;

/// Bytes that are appended, up to a limit.
///
/// Stopping at the limit keeps a value that is too large from taking its room a second time.
pub(super) struct Limited {
    bytes: Vec<u8>,
    limit: usize,
    is_over: bool,
}

impl Limited {
    /// What is appended to `bytes`, at most `room` more.
    pub(super) fn new(bytes: Vec<u8>, room: usize) -> Self {
        let limit = bytes.len().saturating_add(room);
        Self {
            bytes,
            limit,
            is_over: false,
        }
    }

    pub(super) fn append(&mut self, more: &[u8]) -> Coded<()> {
        Ok(io::Write::write_all(self, more)?)
    }

    /// Whether more was to be appended than there was room for.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl io::Write for Limited {
    #[inline]
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        self.write_all(more)?;
        Ok(more.len())
    }

    #[inline]
    fn write_all(&mut self, more: &[u8]) -> io::Result<()> {
        if more.len() > self.limit.saturating_sub(self.bytes.len()) {
            self.is_over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
