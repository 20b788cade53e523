//! The table and the JSON file.

use std::fmt::Write as _;

use crate::measure::Row;

/// The rows of one case as a table; ratios are to the first row and to Larder's first row.
pub fn print_case(rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    let larder = rows.iter().find(|row| row.subject.starts_with("larder"));
    println!(
        "\n{}: {} [{}]",
        first.case.name, first.case.about, first.case.unit
    );
    println!(
        "  {:<36} {:>10} {:>10} {:>10} {:>8} {:>9} {:>9}",
        "", "median", "min", "max", "allocs", "x first", "x larder"
    );
    for row in rows {
        println!(
            "  {:<36} {:>10.1} {:>10.1} {:>10.1} {:>8} {:>9.2} {:>9}",
            row.subject,
            row.median(),
            row.min(),
            row.max(),
            row.allocs
                .map_or_else(String::new, |allocs| format!("{allocs:.2}")),
            row.ratio_to(first),
            larder.map_or_else(String::new, |larder| format!("{:.2}", row.ratio_to(larder))),
        );
    }
}

/// All rows as a JSON list of `{case, subject, unit, min, median, max, allocs, ratio_to}`.
pub fn json(rows: &[Row]) -> String {
    let mut text = String::from("[\n");
    for (index, row) in rows.iter().enumerate() {
        let _ = write!(
            text,
            "  {{\"case\": {}, \"subject\": {}, \"unit\": {}, \"min\": {}, \"median\": {}, \"max\": {}, \"allocs\": {}, \"ratio_to\": {{",
            quote(row.case.name),
            quote(row.subject),
            quote(row.case.unit),
            number(row.min()),
            number(row.median()),
            number(row.max()),
            row.allocs.map_or_else(|| "null".to_owned(), number),
        );
        let others = rows
            .iter()
            .filter(|other| other.case.name == row.case.name && other.subject != row.subject);
        for (place, other) in others.enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let ratio = number(row.ratio_to(other));
            let _ = write!(text, "{comma}{}: {ratio}", quote(other.subject));
        }
        text.push_str(if index + 1 == rows.len() {
            "}}\n"
        } else {
            "}},\n"
        });
    }
    text.push_str("]\n");
    text
}

fn number(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.4}")
    } else {
        "null".to_owned()
    }
}

fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
