//! The page of flaws names tests that exist.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

fn sources(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The names of all functions in the sources, the tests and the cases of the conformance suite.
fn functions() -> HashSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let mut names = HashSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("it can be read");
        for line in text.lines() {
            let Some((_, rest)) = line.split_once("fn ") else {
                continue;
            };
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            names.insert(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    names
}

#[test]
fn each_flaw_names_tests_that_exist_or_a_reason() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/flaws.md");
    let page = std::fs::read_to_string(page).expect("the page of flaws");
    let functions = functions();
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let rows: Vec<&str> = rows.skip(1).collect();
    assert!(rows.len() > 50, "the page of flaws has lost its table");
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        let shown = cells[2].trim_end_matches(" |");
        let (tests, _) = shown.split_once(": ").unwrap_or((shown, ""));
        if tests == "by construction" || tests == "not built" {
            assert!(shown.len() > 30, "a reason is given: {row}");
            continue;
        }
        for test in tests.split(", ") {
            let name = test.trim_matches('`');
            assert!(functions.contains(name), "there is no test `{name}`: {row}");
        }
    }
}
