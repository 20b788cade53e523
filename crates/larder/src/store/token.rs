//! A lease of a chain: the leases of its levels, and the versions of tags on each.

use std::collections::BTreeMap;

use crate::store::{Found, Token};

/// The right to fill one key on every level that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leases {
    /// For each level, from the uppermost.
    pub(crate) levels: Vec<Option<Leased>>,
    /// The level whose versions were told to the reader.
    pub(crate) told: usize,
    /// Whether the entry that came with the lease is the deepest level's own.
    pub(crate) is_deepest: bool,
    pub(crate) tags: Vec<String>,
}

/// A lease of one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leased {
    pub(crate) token: Token,
    pub(crate) epoch: u64,
    /// In the order of the tags.
    pub(crate) versions: Vec<u64>,
}

const FORMAT: u8 = 1;

impl Leased {
    pub(crate) fn of(found: &Found) -> Option<Self> {
        Some(Self {
            token: found.lease.clone()?,
            epoch: found.epoch,
            versions: found.versions.clone(),
        })
    }
}

impl Leases {
    /// The versions of tags on one level.
    pub(crate) fn versions(&self, level: usize) -> BTreeMap<&str, u64> {
        let leased = self.levels.get(level).and_then(Option::as_ref);
        let versions = leased.map_or(&[][..], |leased| &leased.versions);
        let tags = self.tags.iter().map(String::as_str);
        tags.zip(versions.iter().copied()).collect()
    }

    pub(crate) fn to_token(&self) -> Token {
        let mut out = vec![FORMAT, u8::from(self.is_deepest)];
        write_number(&mut out, self.told as u64);
        write_number(&mut out, self.tags.len() as u64);
        for tag in &self.tags {
            write_bytes(&mut out, tag.as_bytes());
        }
        write_number(&mut out, self.levels.len() as u64);
        for level in &self.levels {
            out.push(u8::from(level.is_some()));
            let Some(leased) = level else { continue };
            write_bytes(&mut out, leased.token.as_bytes());
            write_number(&mut out, leased.epoch);
            for version in &leased.versions {
                write_number(&mut out, *version);
            }
        }
        Token::new(out)
    }

    /// `None` for what is not a token of a chain of so many levels.
    pub(crate) fn parse(token: &Token, levels: usize) -> Option<Self> {
        let mut rest = Rest(token.as_bytes());
        if rest.byte()? != FORMAT {
            return None;
        }
        let is_deepest = rest.flag()?;
        let told = usize::try_from(rest.number()?).ok()?;
        let count = rest.number()?;
        let mut tags = Vec::new();
        for _ in 0..count {
            tags.push(String::from_utf8(rest.bytes()?.to_vec()).ok()?);
        }
        if rest.number()? != levels as u64 || told >= levels {
            return None;
        }
        let mut parsed = Vec::new();
        for _ in 0..levels {
            parsed.push(match rest.flag()? {
                true => Some(rest.leased(tags.len())?),
                false => None,
            });
        }
        rest.0.is_empty().then_some(Self {
            levels: parsed,
            told,
            is_deepest,
            tags,
        })
    }
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend(number.to_be_bytes());
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len() as u64);
    out.extend(bytes);
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*first))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn leased(&mut self, tags: usize) -> Option<Leased> {
        let token = Token::new(self.bytes()?);
        let epoch = self.number()?;
        let mut versions = Vec::new();
        for _ in 0..tags {
            versions.push(self.number()?);
        }
        Some(Leased {
            token,
            epoch,
            versions,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leased() -> impl Strategy<Value = (Vec<u8>, u64, Vec<u64>)> {
        (
            any::<Vec<u8>>(),
            any::<u64>(),
            prop::collection::vec(any::<u64>(), 3),
        )
    }

    proptest! {
        #[test]
        fn a_token_comes_back(levels in prop::collection::vec(prop::option::of(leased()), 1..4), tags: [String; 3]) {
            let levels: Vec<Option<Leased>> = levels
                .into_iter()
                .map(|level| level.map(|(token, epoch, versions)| Leased { token: Token::new(token), epoch, versions }))
                .collect();
            let count = levels.len();
            let leases = Leases { levels, told: count - 1, is_deepest: true, tags: tags.to_vec() };
            let token = leases.to_token();
            prop_assert_eq!(Leases::parse(&token, count), Some(leases));
            prop_assert_eq!(Leases::parse(&token, count + 1), None);
            let cut = &token.as_bytes()[..token.as_bytes().len() - 1];
            prop_assert_eq!(Leases::parse(&Token::new(cut), count), None);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>, levels in 1..4_usize) {
            Leases::parse(&Token::new(bytes), levels);
        }
    }
}
