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

/// What Larder has and no test of the library's own file shows: a test elsewhere does.
fn shows_elsewhere(root: &Path, page: &str, place: &str) {
    let mut paths = place.split('`').filter(|part| part.starts_with("tests/"));
    let path = paths.next();
    let path = path.unwrap_or_else(|| panic!("{page}: no test is named: {place}"));
    assert!(root.join(path).exists(), "{page}: there is no {path}");
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
            let shown = cells[2].trim();
            if let Some(reason) = shown.strip_prefix("not there: ") {
                assert!(reason.len() > 20, "{page}: a reason is given: {row}");
                continue;
            }
            if let Some(place) = shown.strip_prefix("elsewhere: ") {
                shows_elsewhere(root, page, place);
                continue;
            }
            for name in shown.split(", ") {
                let name = name.trim_matches('`');
                let found = tests.contains(&format!("fn {name}()"));
                assert!(found, "{page}: {files:?} have no test `{name}`");
            }
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
