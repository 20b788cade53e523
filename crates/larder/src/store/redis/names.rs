//! Names of records beside entries: they meet no entry's key, and lie in its slot.
//!
//! An entry lies under exactly its key's text. UTF-8 has no byte `0xFF`, so what stands before the first one of a name is always a key, a tag or a prefix,
//! and what follows says what the record is. The name begins like the key, so access rules like `~app:*` and tracked prefixes cover the records too.

/// Ends the text in the name of a record.
pub(super) const MARK: u8 = 0xFF;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The token of the standing lease of a key.
    Lease,
    /// The version of a tag.
    Version,
    /// Touched by whoever forgets a tag, and by nobody else.
    Forgotten,
    /// The tag epoch of a prefix.
    Epoch,
    /// The owner of a lock.
    Lock,
    /// The last fencing number of a lock.
    Fence,
    /// A sliding window.
    Window,
    /// A row of bits.
    Bits,
    /// A window that starts with its first call.
    Fixed,
    /// The arrival time of the generic cell rate algorithm.
    Gcra,
    /// Until when a key is kept out.
    Ban,
}

impl Kind {
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Lease => b'l',
            Self::Version => b't',
            Self::Forgotten => b'f',
            Self::Epoch => b'e',
            Self::Lock => b'k',
            Self::Fence => b'n',
            Self::Window => b'w',
            Self::Bits => b'm',
            Self::Fixed => b'c',
            Self::Gcra => b'g',
            Self::Ban => b'b',
        }
    }
}

/// How records are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// One server: the slot does not matter.
    Plain,
    /// A cluster: records of a key lie in its slot.
    Slotted,
}

impl Names {
    /// The name of a record of this text that lies in the text's own slot.
    pub(super) fn beside(self, text: &str, kind: Kind) -> Vec<u8> {
        match self {
            Self::Plain => apart(text, kind),
            Self::Slotted => beside(text, kind),
        }
    }
}

/// The name of a record that lies in a slot of its own.
pub(super) fn apart(text: &str, kind: Kind) -> Vec<u8> {
    let mut name = Vec::with_capacity(text.len() + 8);
    name.extend_from_slice(text.as_bytes());
    name.extend([MARK, kind.byte()]);
    name
}

/// The text before the mark, and the byte of the kind after it; `None` for a name without a mark.
pub(super) fn split(name: &[u8]) -> Option<(&[u8], u8)> {
    let at = name.iter().position(|byte| *byte == MARK)?;
    Some((&name[..at], *name.get(at + 1)?))
}

/// The slot of a name by the rule of Redis Cluster: of what stands between the first `{` and the first `}` behind it, if that is anything, else of all.
///
/// Source: <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>.
pub(super) fn slot(name: &[u8]) -> u16 {
    crc(0, tag(name).unwrap_or(name)) % SLOTS
}

pub(super) const SLOTS: u16 = 16_384;

fn tag(name: &[u8]) -> Option<&[u8]> {
    let open = name.iter().position(|byte| *byte == b'{')?;
    let rest = &name[open + 1..];
    let length = rest.iter().position(|byte| *byte == b'}')?;
    (length > 0).then(|| &rest[..length])
}

fn beside(text: &str, kind: Kind) -> Vec<u8> {
    let mut name = apart(text, kind);
    // A text with a hash tag keeps it, whatever follows.
    if tag(text.as_bytes()).is_some() {
        return name;
    }
    let slot = slot(text.as_bytes());
    loop {
        let state = crc(0, &name);
        // Four sums lie in one slot; two bytes reach any of them. A brace among them could make a hash tag.
        let ends = (0..4).map(|high| two_bytes(state, slot | (high << 14)));
        if let Some(end) = ends
            .into_iter()
            .find(|end| !end.iter().any(|byte| matches!(byte, b'{' | b'}')))
        {
            name.extend(end);
            return name;
        }
        name.push(b'.');
    }
}

/// CRC-16/XMODEM, the sum that slots are made of.
fn crc(state: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(state, |sum, byte| {
        (sum << 8) ^ TABLE[usize::from((sum >> 8) as u8 ^ byte)]
    })
}

/// The two bytes that lead from one sum to another.
fn two_bytes(from: u16, to: u16) -> [u8; 2] {
    // The step of the second byte leaves the table's low byte alone in the low half, so that names the table's line; the first byte's follows from what is left.
    let second = LINE_OF[usize::from(to as u8)];
    let middle = (to ^ TABLE[usize::from(second)]) >> 8;
    let first = LINE_OF[usize::from(middle as u8)];
    let sum = (from << 8) ^ TABLE[usize::from(first)];
    [first ^ (from >> 8) as u8, second ^ (sum >> 8) as u8]
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut line = 0;
    while line < 256 {
        let mut sum = (line as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000 == 0 {
                sum << 1
            } else {
                (sum << 1) ^ 0x1021
            };
            bit += 1;
        }
        table[line] = sum;
        line += 1;
    }
    table
};

/// The line of the table that ends with a byte; each byte ends one line.
const LINE_OF: [u8; 256] = {
    let mut lines = [0; 256];
    let mut line = 0;
    while line < 256 {
        lines[(TABLE[line] & 0xFF) as usize] = line as u8;
        line += 1;
    }
    lines
};
