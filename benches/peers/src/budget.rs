//! What Larder promises of its speed, judged by the rows of this run.

use crate::case::{self, Case};
use crate::measure::Row;

/// The floor that hits are measured against: a bare get of the same text key.
const FLOOR: &str = "quick_cache prepared";
const FLOOR_RENDERED: &str = "quick_cache rendered";
/// Keeps entries for ever and without a bound under a number: shown, but not judged as the same hit.
const WITHOUT_EXPIRY: &str = "cached unbounded";
/// Through the attribute, on a sync function.
const LARDER: &str = "larder";

const ONE_THREAD: [&Case; 4] = [
    &case::HIT_U64,
    &case::HIT_U64_ARC,
    &case::HIT_STR,
    &case::HIT_STR_ARC,
];

struct Verdicts<'a> {
    rows: &'a [Row],
}

/// Prints a line for each promise. A run that left Larder out prints nothing.
pub fn print(rows: &[Row]) {
    if !rows.iter().any(|row| row.subject == LARDER) {
        return;
    }
    println!("\nBudgets:");
    let verdicts = Verdicts { rows };
    for case in ONE_THREAD {
        verdicts.hit(case);
    }
    verdicts.scaling(&case::HIT_2_DISTINCT, &case::HIT_U64);
    verdicts.scaling(&case::HIT_2_SAME, &case::HIT_U64);
    verdicts.scaling(&case::HIT_2_SAME_ARC, &case::HIT_U64_ARC);
    verdicts.allocations();
    verdicts.memory(&case::MEMORY_REQUESTED);
    verdicts.memory(&case::MEMORY_USABLE);
    verdicts.tags();
    verdicts.herd();
}

impl Verdicts<'_> {
    fn row(&self, case: &Case, subject: &str) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.case.name == case.name && row.subject == subject)
    }

    fn larder<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = &'a Row> {
        self.rows
            .iter()
            .filter(|row| row.case.name == case.name && row.subject.starts_with(LARDER))
    }

    /// At most 1.5 x the floor, and ahead of every peer.
    fn hit(&self, case: &Case) {
        for own in self.larder(case) {
            for (floor, limit) in [(FLOOR, Some(1.5)), (FLOOR_RENDERED, None)] {
                let Some(floor) = self.row(case, floor) else {
                    continue;
                };
                let ratio = own.ratio_to(floor);
                let text = format!(
                    "{}: {} is {ratio:.2} x {}",
                    case.name, own.subject, floor.subject
                );
                match limit {
                    Some(limit) => say(ratio <= limit, &format!("{text} (at most {limit})")),
                    None => println!("        {text}"),
                }
            }
            let peers = self.rows.iter().filter(|row| {
                row.case.name == case.name
                    && !row.subject.starts_with(LARDER)
                    && !row.subject.starts_with("quick_cache")
                    && row.subject != WITHOUT_EXPIRY
            });
            let nearest = peers
                .map(|peer| (own.ratio_to(peer), peer.subject))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((ratio, peer)) = nearest {
                let text = format!(
                    "{}: {} is {ratio:.2} x its nearest peer, {peer} (less than 1)",
                    case.name, own.subject
                );
                say(ratio < 1.0, &text);
            }
            if let Some(other) = self.row(case, WITHOUT_EXPIRY) {
                let ratio = own.ratio_to(other);
                println!(
                    "        {}: {} is {ratio:.2} x {WITHOUT_EXPIRY}, which neither expires nor renders a key",
                    case.name, own.subject
                );
            }
        }
    }

    /// Two threads gain at least what they gain on a bare quick_cache.
    fn scaling(&self, two: &Case, one: &Case) {
        let gain = |subject: &str| {
            let (one, two) = (self.row(one, subject)?, self.row(two, subject)?);
            Some(one.median() / two.median())
        };
        let (Some(floor), Some(own)) = (gain(FLOOR), gain(LARDER)) else {
            return;
        };
        let text = format!(
            "{}: two threads gain {own:.2} x, on quick_cache {floor:.2} x (at least as much, 5 % for noise)",
            two.name
        );
        say(own >= 0.95 * floor, &text);
    }

    fn allocations(&self) {
        let hits = self
            .rows
            .iter()
            .filter(|row| row.case.kind == case::Kind::Hit && row.subject.starts_with(LARDER));
        let worst = hits
            .filter_map(|row| Some((row.allocs?, row)))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((allocs, row)) = worst {
            let text = format!(
                "hits allocate {allocs:.2} times at most ({}, {}; never)",
                row.case.name, row.subject
            );
            say(allocs == 0.0, &text);
        }
    }

    fn memory(&self, case: &Case) {
        for own in self.larder(case) {
            if let Some(floor) = self.row(case, "quick_cache") {
                let ratio = own.ratio_to(floor);
                let text = format!("{}: {ratio:.2} x quick_cache (at most 1.25)", case.name);
                say(ratio <= 1.25, &text);
            }
        }
    }

    /// Single operations are timed, so the ranges are what can be compared.
    fn tags(&self) {
        for many in self.larder(&case::TAG_1M) {
            if let Some(one) = self.row(&case::TAG_1, many.subject) {
                let text = format!(
                    "forgetting a tag: {:.0} ns over all entries, {:.0} ns over one (the same: at most twice)",
                    many.median(),
                    one.median()
                );
                say(many.median() <= 2.0 * one.median(), &text);
            }
        }
    }

    fn herd(&self) {
        for own in self.larder(&case::HERD_LOADS) {
            let text = format!(
                "{}: the source ran {} times at most (once)",
                own.subject,
                own.max()
            );
            say(own.max() == 1.0, &text);
        }
    }
}

fn say(holds: bool, text: &str) {
    println!("{} {text}", if holds { "  holds" } else { " MISSED" });
}
