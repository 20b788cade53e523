//! Tables and JSON.

use serde_json::{Value, json};

use crate::measure::{Case, Row};

pub(crate) fn print_case(case: &Case, rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    println!("\n{}: {}", case.name, case.about);
    println!(
        "  {:<34} {:>10} {:>10} {:>10} {:>10} {:>8}",
        "", "median us", "min", "max", "a second", "x first"
    );
    for row in rows {
        let us = |ns: f64| ns / 1e3;
        println!(
            "  {:<34} {:>10.2} {:>10.2} {:>10.2} {:>10.0} {:>8.3}",
            row.subject,
            us(row.median()),
            us(row.min()),
            us(row.max()),
            1e9 / row.median(),
            row.ratio_to(first),
        );
    }
}

/// All rows as a list of `{case, subject, unit, min, median, max, ratio_to}`.
pub(crate) fn json(rows: &[Row]) -> String {
    let list = rows.iter().map(|row| {
        let others = rows
            .iter()
            .filter(|other| other.case == row.case && other.subject != row.subject);
        let ratios = others.map(|other| (other.subject.to_owned(), json!(row.ratio_to(other))));
        json!({
            "case": row.case,
            "subject": row.subject,
            "unit": row.unit,
            "min": row.min(),
            "median": row.median(),
            "max": row.max(),
            "ratio_to": Value::Object(ratios.collect()),
        })
    });
    format!("{:#}\n", Value::Array(list.collect()))
}
