//! Storing: under a lease, without one, and heads only.

use ::redis::Value;
use futures_util::future::join_all;

use super::names::Kind;
use super::{Redis, fits, millis, reply, script};
use crate::error::Result;
use crate::store::{Condition, Fill, Life, Touch, Write};

/// One entry of a batch.
struct Item<'a> {
    key: &'a str,
    /// The token of a lease, or a condition.
    first: &'a [u8],
    life: Life,
    bytes: &'a [u8],
}

impl Redis {
    pub(super) async fn fill_all(&self, fills: &[Fill<'_>]) -> Result<Vec<bool>> {
        let item = |fill: &Fill<'_>| fits("fill", fill.bytes);
        fills.iter().try_for_each(item)?;
        let items: Vec<Item<'_>> = fills
            .iter()
            .map(|fill| Item {
                key: fill.key,
                first: fill.lease.as_bytes(),
                life: fill.life,
                bytes: fill.bytes,
            })
            .collect();
        self.store("fill", &script::FILL, &items).await
    }

    pub(super) async fn write_all(&self, writes: &[Write<'_>]) -> Result<Vec<bool>> {
        let item = |write: &Write<'_>| fits("write", write.bytes);
        writes.iter().try_for_each(item)?;
        let items: Vec<Item<'_>> = writes
            .iter()
            .map(|write| Item {
                key: write.key,
                first: match write.condition {
                    Condition::Always => b"0",
                    Condition::Absent => b"1",
                    Condition::Present => b"2",
                },
                life: write.life,
                bytes: write.bytes,
            })
            .collect();
        self.store("write", &script::WRITE, &items).await
    }

    async fn store(
        &self,
        operation: &'static str,
        script: &script::Lua,
        items: &[Item<'_>],
    ) -> Result<Vec<bool>> {
        let groups = self.groups(items.iter().map(|item| item.key));
        let asked = groups.iter().map(|group| {
            let of_group = || group.iter().map(|place| &items[*place]);
            let room: usize = of_group()
                .map(|item| 2 * item.key.len() + item.bytes.len() + 48)
                .sum();
            let mut cmd = script.call(2 * group.len(), 3 * group.len(), room);
            for item in of_group() {
                cmd.arg(item.key)
                    .arg(self.names.beside(item.key, Kind::Lease));
            }
            for item in of_group() {
                cmd.arg(item.first).arg(millis(item.life)).arg(item.bytes);
            }
            self.ask(operation, cmd)
        });
        let mut stored = vec![false; items.len()];
        for (group, answer) in groups.iter().zip(join_all(asked).await) {
            let answers = reply::list_of(operation, answer?, group.len())?;
            for (place, answer) in group.iter().zip(answers) {
                stored[*place] = reply::yes(operation, &answer)?;
                if stored[*place] {
                    let item = &items[*place];
                    self.likely.stored(item.key, item.bytes, item.life);
                }
            }
        }
        Ok(stored)
    }

    pub(super) async fn touch_one(&self, touch: &Touch<'_>) -> Result<bool> {
        let mut cmd = script::TOUCH.call(2, 3, 2 * touch.key.len() + touch.head.len() + 64);
        cmd.arg(touch.key)
            .arg(self.names.beside(touch.key, Kind::Lease))
            .arg(touch.lease.as_bytes())
            .arg(touch.head)
            .arg(millis(touch.life));
        reply::yes("touch", &self.ask("touch", cmd).await?)
    }

    pub(super) async fn remaining_all(&self, keys: &[&str]) -> Result<Vec<Option<Life>>> {
        let ask = |key: &&str| {
            let mut cmd = ::redis::cmd("PTTL");
            cmd.arg(*key);
            cmd
        };
        let answers = self
            .ask_all("remaining", keys.iter().map(ask).collect())
            .await?;
        let left = |answer: &Value| {
            let left = reply::number("remaining", answer)?;
            Ok(match left {
                -1 => Some(None),
                left => u64::try_from(left)
                    .ok()
                    .map(|left| Some(std::time::Duration::from_millis(left))),
            })
        };
        answers.iter().map(left).collect()
    }
}
