//! What Larder promises of its stores, judged by the rows of this run.

use crate::measure::Row;

/// What a hit may take, as a share of the bare client's.
const HIT: f64 = 1.15;
/// Copies that are kept true are a hit of memory.
const COPY: f64 = 1.15;

/// Prints a line for each promise.
pub(crate) fn print(rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    println!("\nBudgets:");
    for row in rows {
        trips(row);
        ratio(rows, row);
    }
}

fn trips(row: &Row) {
    let limit = match (row.unit, row.subject) {
        ("trips", "miss" | "tagged miss") => 2.0,
        ("trips", "hit" | "first hit" | "tagged hit" | "tagged first hit") => 1.0,
        _ => return,
    };
    let count = row.max();
    let text = format!(
        "{}: {} takes {count} (at most {limit})",
        row.case, row.subject
    );
    say(count <= limit, &text);
}

fn ratio(rows: &[Row], row: &Row) {
    let limit = match (row.subject, row.case.as_str()) {
        ("client_side=1", _) => COPY,
        (subject, _) if subject.starts_with("#[cached]") || subject.starts_with("cache.") => HIT,
        _ => return,
    };
    // What an async caller could do instead is not the read itself: it must not block its thread.
    let fits = |other: &&Row| match row.subject {
        "#[cached] async fn" => other.subject.ends_with("spawn_blocking"),
        _ => true,
    };
    let mut same = rows.iter().filter(|other| other.case == row.case);
    let Some(floor) = same.find(fits).filter(|floor| floor.subject != row.subject) else {
        return;
    };
    let ratio = row.ratio_to(floor);
    let text = format!(
        "{}: {} is {ratio:.2} x {} (at most {limit})",
        row.case, row.subject, floor.subject
    );
    say(ratio <= limit, &text);
}

fn say(holds: bool, text: &str) {
    println!("{} {text}", if holds { "  holds" } else { " MISSED" });
}
