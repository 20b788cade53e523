//! The pages of migration name tests that exist, in the file of their library.

use std::path::Path;

/// The page of each library, the files of its tests, and at least how many rows its table has.
const PAGES: &[(&str, &[&str], usize)] = &[
    ("from-pyfly.md", &["pyfly.rs"], 25),
    ("from-privex.md", &["privex.rs"], 25),
    ("from-easy-cache.md", &["easy_cache.rs"], 30),
    (
        "from-advanced-caching.md",
        &["advanced_caching.rs", "advanced_caching_background.rs"],
        30,
    ),
    ("from-cashews.md", &["cashews.rs", "cashews_guards.rs"], 30),
];

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn tests(files: &[&str]) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds");
    files
        .iter()
        .map(|file| text(&directory.join(file)))
        .collect()
}

fn has(code: &str, test: &str) -> bool {
    code.contains(&format!("fn {test}()"))
}

/// All that is written in a file, or in the files of a directory.
fn code(path: &Path) -> String {
    if !path.is_dir() {
        return text(path);
    }
    let files = std::fs::read_dir(path).expect("a directory can be read");
    files.map(|file| code(&file.unwrap().path())).collect()
}

/// `` `a`, `b` in `tests/x.rs`, `c` ``: the first two are in that file, the last in the library's own.
fn shown(root: &Path, page: &str, cell: &str, own: &str) {
    let mut names = Vec::new();
    for span in cell.split('`').skip(1).step_by(2) {
        if span.starts_with("tests/") {
            let code = code(&root.join(span));
            assert!(!names.is_empty(), "{page}: no test is named in {span}");
            for name in names.drain(..) {
                assert!(has(&code, name), "{page}: {span} has no test `{name}`");
            }
        } else {
            names.push(span);
        }
    }
    for name in names {
        assert!(has(own, name), "{page}: the library has no test `{name}`");
    }
}

#[test]
fn each_feature_names_its_tests_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for &(page, files, least) in PAGES {
        let tests = tests(files);
        let page_text = text(&root.join("../../docs").join(page));
        let table = page_text.lines().filter(|line| line.starts_with("| "));
        let rows: Vec<&str> = table
            .filter(|line| !line.starts_with("| feature"))
            .collect();
        assert!(rows.len() >= least, "{page} has lost rows: {}", rows.len());
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
            assert_eq!(cells.len(), 3, "{page}: {row}");
            let cell = cells[2].trim();
            if let Some(reason) = cell.strip_prefix("not there: ") {
                assert!(reason.len() > 20, "{page}: a reason is given: {row}");
                continue;
            }
            assert!(cell.starts_with('`'), "{page}: a test is named: {row}");
            shown(root, page, cell, &tests);
        }
    }
}

#[test]
fn each_test_stands_in_its_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for &(page, files, _) in PAGES {
        let tests = tests(files);
        let page_text = text(&root.join("../../docs").join(page));
        let mut is_test = false;
        for line in tests.lines() {
            if is_test && let Some((_, rest)) = line.split_once("fn ") {
                let name = rest.split('(').next().unwrap_or_default();
                let named = page_text.contains(&format!("`{name}`"));
                assert!(named, "{page} does not name `{name}`");
            }
            let line = line.trim_start();
            is_test = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        }
    }
}
