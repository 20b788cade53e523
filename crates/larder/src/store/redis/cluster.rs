//! The masters of a cluster, for what concerns all of them.

use ::redis::{RedisError, ServerErrorKind, Value};
use futures_util::future::join_all;

use super::line::To;
use super::names::Names;
use super::{Redis, reply};
use crate::error::{Error, Result};

/// One master, reached by a slot that it serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Master {
    pub(super) slot: u16,
    id: Vec<u8>,
}

/// Who serves what, as every master says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) masters: Vec<Master>,
    told: Vec<String>,
}

impl Layout {
    /// Whether keys may be on their way from one master to another.
    pub(super) fn moves(&self) -> bool {
        self.told.iter().any(|line| line.contains('['))
    }
}

impl Redis {
    /// The masters, by their first slot; one server stands for itself.
    pub(super) async fn masters(&self, operation: &'static str) -> Result<Vec<Master>> {
        if self.names == Names::Plain {
            let id = Vec::new();
            return Ok(vec![Master { slot: 0, id }]);
        }
        let mut cmd = ::redis::cmd("CLUSTER");
        cmd.arg("SLOTS");
        // The crate would ask every node: the table of one is enough.
        let answer = self.ask_at(operation, cmd, To::Slot(0)).await?;
        let mut masters: Vec<Master> = Vec::new();
        for range in reply::list(operation, answer)? {
            let range = reply::list(operation, range)?;
            let (Some(from), Some(Value::Array(node))) = (range.first(), range.get(2)) else {
                return Err(reply::odd(operation));
            };
            let slot = u16::try_from(reply::number(operation, from)?)
                .map_err(|_| reply::odd(operation))?;
            let id = match node.get(2) {
                Some(Value::BulkString(id)) => id.clone(),
                _ => return Err(reply::odd(operation)),
            };
            match masters.iter_mut().find(|master| master.id == id) {
                Some(master) => master.slot = master.slot.min(slot),
                None => masters.push(Master { slot, id }),
            }
        }
        masters.sort_unstable();
        Ok(masters)
    }

    /// The masters, and what each says of its slots.
    pub(super) async fn layout(&self, operation: &'static str) -> Result<Layout> {
        let masters = self.masters(operation).await?;
        let mut told = Vec::new();
        if self.names == Names::Slotted {
            let asked = masters.iter().map(|master| {
                let mut cmd = ::redis::cmd("CLUSTER");
                cmd.arg("NODES");
                self.ask_at(operation, cmd, To::Slot(master.slot))
            });
            for answer in join_all(asked).await {
                let text = match answer? {
                    Value::VerbatimString { text, .. } => text.into_bytes(),
                    answer => reply::bytes(operation, answer)?.unwrap_or_default(),
                };
                told.push(own_slots(&String::from_utf8_lossy(&text)));
            }
        }
        Ok(Layout { masters, told })
    }
}

/// The identity of the node that tells, its slots, and those that come or go.
fn own_slots(table: &str) -> String {
    let own = |line: &&str| {
        let flags = line.split_whitespace().nth(2).unwrap_or_default();
        flags.split(',').any(|flag| flag == "myself")
    };
    let line = table.lines().find(own).unwrap_or_default();
    let mut words = line.split_whitespace();
    let id = words.next().unwrap_or_default();
    let slots: Vec<&str> = words.skip(7).collect();
    format!("{id} {}", slots.join(" "))
}

/// Whether a slot is on its way, so that the entry and its lease may be on different servers.
pub(super) fn in_between(error: &Error) -> bool {
    error
        .source_as::<RedisError>()
        .is_some_and(|error| error.kind() == ::redis::ErrorKind::Server(ServerErrorKind::TryAgain))
}
