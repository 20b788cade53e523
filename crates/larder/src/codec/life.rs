//! Another life for an entry whose type is not known.

use crate::error::Result;
use crate::store::Head;

use super::{Codec, refused};

impl Codec {
    /// The same entry, fresh and kept until then, without other knobs.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind) for a sealed entry: its times belong to its seal.
    pub(crate) fn with_life(&self, bytes: &[u8], keep_until: u64) -> Result<Vec<u8>> {
        let Some((mut head, body)) = Head::parse(bytes) else {
            // Without a head the times are the store's alone.
            return Ok(bytes.to_vec());
        };
        if head.sealing != 0 {
            return Err(refused(
                "the times of a sealed entry cannot change: write it anew",
            ));
        }
        head.refresh_at = keep_until;
        head.stale_until = keep_until;
        head.keep_until = keep_until;
        head.hits = 0;
        head.refresh_hits = 0;
        let mut out = head.to_bytes();
        out.extend(&bytes[body..]);
        Ok(out)
    }
}
