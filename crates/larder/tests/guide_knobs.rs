//! The tables of options in the guide name what the code knows, with its defaults.

use std::collections::BTreeSet;
use std::path::Path;

use larder::Policy;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of the tables of a page whose first cell is code: its names, and the row's cells.
fn rows(page: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let lines = page.lines().filter(|line| line.starts_with("| `"));
    let rows = lines.map(|line| {
        // A `\|` is a bar in a cell.
        let line = line.replace("\\|", "\u{1}");
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        let names = cells[1].split('`').skip(1).step_by(2);
        (names.map(str::to_owned).collect(), cells)
    });
    rows.collect()
}

/// What stands in quotes or before a colon in a table of the code, between two of its lines.
fn between<'c>(code: &'c str, from: &str, to: &str) -> &'c str {
    let (_, rest) = code
        .split_once(from)
        .unwrap_or_else(|| panic!("no `{from}`"));
    rest.split_once(to).unwrap_or_else(|| panic!("no `{to}`")).0
}

/// The knobs of `#[cached]`: those that the macro reads itself, and those that the library knows.
fn knobs() -> BTreeSet<String> {
    let macros = read("crates/larder-macros/src/knobs.rs");
    let known = between(&macros, "const KNOWN", "];");
    let known = known
        .lines()
        .filter_map(|line| line.trim().strip_prefix("(\""));
    let mut knobs: BTreeSet<String> = known
        .filter_map(|line| Some(line.split_once('"')?.0.to_owned()))
        .collect();
    let library = read("crates/larder/src/policy/knobs.rs");
    let forwarded = between(&library, "\nknobs!(", "\n);");
    knobs.extend(
        forwarded
            .lines()
            .filter_map(|line| Some(line.trim().split_once(": ")?.0.to_owned())),
    );
    let methods = library.lines().filter_map(|line| {
        let name = line.trim().strip_prefix("pub const fn ")?;
        name.contains("value: Lit").then(|| name.split_once('('))?
    });
    knobs.extend(methods.map(|(name, _)| name.to_owned()));
    // Those that begin so are for the macros alone.
    knobs.retain(|name| !name.contains('$') && !name.starts_with("__"));
    assert!(knobs.len() > 30, "{knobs:?}");
    knobs
}

#[test]
fn every_knob_of_cached_stands_in_the_guide_and_in_its_documentation() {
    let knobs = knobs();
    let table = rows(&read("docs/knobs.md"));
    let named: BTreeSet<String> = table.into_iter().flat_map(|(names, _)| names).collect();
    assert_eq!(named, knobs, "docs/knobs.md");
    let documented = rows(&read("crates/larder/src/docs/cached.md"));
    let documented: BTreeSet<String> = documented
        .into_iter()
        .flat_map(|(names, _)| names)
        .collect();
    for knob in knobs {
        assert!(
            documented.contains(&knob),
            "src/docs/cached.md says nothing of `{knob}`"
        );
    }
}

#[test]
fn the_defaults_that_the_guide_names_are_those_of_the_code() {
    let mut seen = 0;
    for (names, cells) in rows(&read("docs/knobs.md")) {
        let Some(default) = cells[3].strip_prefix('`').and_then(|d| d.strip_suffix('`')) else {
            continue;
        };
        let same = match names[0].as_str() {
            "throttle" => Policy::new().throttle(default),
            "wait" => Policy::new().wait(default),
            "load_limit" => Policy::new().load_limit(default),
            _ => continue,
        };
        assert_eq!(same, Policy::new(), "{names:?} is not {default} by default");
        seen += 1;
    }
    assert_eq!(seen, 3);
}

/// The attributes whose knobs the library evaluates: their file, their page of the guide, and knobs that the macro reads for them.
const OTHERS: &[(&str, &str, &[&str])] = &[
    ("guard/rate_limit.rs", "rate-limits.md", &["key", "cache"]),
    ("guard/slow_call.rs", "slow-calls.md", &["key", "cache"]),
    ("guard/locked.rs", "locks.md", &["key", "cache"]),
    (
        "guard/circuit_breaker.rs",
        "circuit-breaker.md",
        &["key", "cache", "exceptions"],
    ),
    (
        "guard/bloom/knobs.rs",
        "bloom.md",
        &["key", "cache", "skip", "filter", "version"],
    ),
    ("transaction/attribute.rs", "transactions.md", &["cache"]),
    (
        "background/beat.rs",
        "background.md",
        &["every", "on_demand", "run_now", "jitter", "on_error"],
    ),
    (
        "engine/batch/asking.rs",
        "batches.md",
        &["each", "ids", "chunk", "absent"],
    ),
    (
        "engine/recording.rs",
        "streams.md",
        &["max_items", "max_bytes", "bytes"],
    ),
];

/// Names in code spans: `ttl`, also at the beginning of `ttl = "10s"`.
fn named(page: &str) -> BTreeSet<String> {
    let outside = page.split("```").step_by(2);
    let spans = outside.flat_map(|text| text.split('`').skip(1).step_by(2));
    let names = spans.map(|span| {
        let end = span.find(|c: char| !c.is_alphanumeric() && c != '_');
        span[..end.unwrap_or(span.len())].to_owned()
    });
    names.collect()
}

#[test]
fn every_knob_of_the_other_attributes_stands_on_its_page() {
    for (file, page, more) in OTHERS {
        let code = read(&format!("crates/larder/src/{file}"));
        let knobs = code.lines().filter_map(|line| {
            let name = line.trim().strip_prefix("pub const fn ")?;
            let name = name
                .contains("value: Lit")
                .then(|| name.split_once('('))??
                .0;
            Some(name.trim_start_matches("r#"))
        });
        let named = named(&read(&format!("docs/{page}")));
        for knob in knobs.chain(more.iter().copied()) {
            assert!(named.contains(knob), "docs/{page} says nothing of `{knob}`");
        }
    }
}
