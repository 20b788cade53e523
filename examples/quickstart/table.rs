//! Two passes over the files, and a table of them.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use larder::FunctionStats;

use crate::tree::Tree;

/// One cached function over all files, twice.
pub(crate) struct Row {
    function: &'static str,
    first: Duration,
    second: Duration,
    hits: u64,
    loads: u64,
    failures: u64,
}

impl Row {
    /// # Panics
    /// When the second pass gives anything else than the first, or asks a source for what is kept.
    pub(crate) async fn measure<T: PartialEq>(
        function: &'static str,
        tree: &Tree,
        call: impl AsyncFn(&str) -> io::Result<T>,
        stats: fn() -> FunctionStats,
    ) -> Self {
        let (computed, first) = pass(tree, &call).await;
        let (kept, second) = pass(tree, &call).await;
        for (computed, kept) in computed.iter().zip(&kept) {
            let same = computed.is_none() || computed == kept;
            assert!(same, "a hit differs from what was computed");
        }
        let failures = computed.iter().filter(|value| value.is_none()).count() as u64;
        let (stats, files) = (stats(), tree.files.len() as u64);
        assert_eq!(stats.hits(), files - failures);
        assert_eq!(
            stats.loads,
            files + failures,
            "what was kept is loaded again"
        );
        Self {
            function,
            first,
            second,
            hits: stats.hits(),
            loads: stats.loads,
            failures,
        }
    }
}

async fn pass<T>(
    tree: &Tree,
    call: &impl AsyncFn(&str) -> io::Result<T>,
) -> (Vec<Option<T>>, Duration) {
    let mut values = Vec::with_capacity(tree.files.len());
    let began = Instant::now();
    for file in &tree.files {
        values.push(call(file).await.ok());
    }
    (values, began.elapsed())
}

pub(crate) struct Table(pub(crate) Vec<Row>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = Row {
            function: "total",
            first: self.0.iter().map(|row| row.first).sum(),
            second: self.0.iter().map(|row| row.second).sum(),
            hits: self.0.iter().map(|row| row.hits).sum(),
            loads: self.0.iter().map(|row| row.loads).sum(),
            failures: self.0.iter().map(|row| row.failures).max().unwrap_or(0),
        };
        let [a, b, c, d, e] = ["first pass", "second pass", "loads", "hits", "ratio"];
        writeln!(f, "{:<16}{a:>12}{b:>14}{c:>9}{d:>9}{e:>10}", "")?;
        for row in self.0.iter().chain([&total]) {
            row.fmt(f)?;
        }
        if total.failures > 0 {
            let count = number(total.failures);
            writeln!(
                f,
                "not readable: {count}; errors are not kept, so the second pass tried again"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.first.as_secs_f64() / self.second.as_secs_f64();
        let ratio = if self.hits == 0 {
            "-".to_owned()
        } else {
            format!("{} x", number(ratio as u64))
        };
        let (first, second) = (milliseconds(self.first), milliseconds(self.second));
        let (loads, hits) = (number(self.loads), number(self.hits));
        writeln!(
            f,
            "{:<16}{first:>12}{second:>14}{loads:>9}{hits:>9}{ratio:>10}",
            self.function
        )
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Thousands apart: `12 345`.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(" ")
}
