//! What the guide says of settings, files and links is what the code knows. Its code is compiled by `cargo test --doc`.
#![cfg(all(
    feature = "azure",
    feature = "encrypt",
    feature = "file",
    feature = "gcs",
    feature = "json",
    feature = "lz4",
    feature = "memcached",
    feature = "memory",
    feature = "redis",
    feature = "s3",
    feature = "sign",
    feature = "sqlite",
    feature = "toml",
    feature = "yaml",
    feature = "zstd"
))]

use std::path::{Path, PathBuf};

use larder::config::Configuration;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages, by their paths from the root.
fn pages() -> Vec<(String, String)> {
    let top = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ]
    .map(str::to_owned);
    let guide = std::fs::read_dir(root().join("docs")).expect("there is a guide");
    let guide = guide.map(|page| page.expect("it can be listed").file_name());
    let guide = guide.map(|name| format!("docs/{}", name.to_string_lossy()));
    let names = top
        .into_iter()
        .chain(guide.filter(|name| name.ends_with(".md")));
    let pages: Vec<_> = names.map(|name| (name.clone(), page(&name))).collect();
    assert!(pages.len() > 10, "the guide is not where it was");
    pages
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The blocks between fences, each with what stands behind the fence.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(kind), None) => open = Some((kind.to_owned(), String::new())),
            (None, Some((_, text))) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without an end");
    blocks
}

/// What stands in single backticks outside of blocks.
fn spans(page: &str) -> Vec<String> {
    let outside = page.split("```").step_by(2);
    let lines = outside.flat_map(str::lines);
    let spans = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    spans.map(str::to_owned).collect()
}

fn says(page: &str, name: &str) -> bool {
    spans(page).iter().any(|span| span == name)
}

const SCHEMES: [&str; 13] = [
    "memory",
    "off",
    "redis",
    "rediss",
    "redis+cluster",
    "redis+sentinel",
    "memcached",
    "memcacheds",
    "sqlite",
    "file",
    "s3",
    "gs",
    "az",
];

fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://");
    let known = scheme.is_some_and(|(scheme, rest)| SCHEMES.contains(&scheme) && !rest.is_empty());
    known && !text.contains('…')
}

#[test]
fn every_url_that_is_shown_can_be_configured() {
    let mut seen = 0;
    for (name, page) in pages() {
        let in_blocks = blocks(&page).into_iter().filter(|(kind, _)| kind == "text");
        let lines =
            in_blocks.flat_map(|(_, text)| text.lines().map(str::to_owned).collect::<Vec<_>>());
        for url in lines.chain(spans(&page)).filter(|text| is_url(text)) {
            let plans =
                Configuration::from_url(&url).and_then(|configuration| configuration.plans());
            assert!(plans.is_ok(), "{name}: {url}: {plans:?}");
            seen += 1;
        }
    }
    assert!(seen > 25, "only {seen} URLs");
}

#[test]
fn every_file_that_is_shown_can_be_configured() {
    let mut seen = 0;
    for (name, page) in pages() {
        let files = blocks(&page)
            .into_iter()
            .filter(|(kind, _)| matches!(kind.as_str(), "yaml" | "toml"));
        for (kind, text) in files {
            let read = Configuration::from_text(&format!("larder.{kind}"), &text);
            let plans = read.and_then(|configuration| configuration.plans());
            assert!(plans.is_ok(), "{name}: {plans:?} of\n{text}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} files");
}

/// The parameters that stores of a scheme take, as the error for one that they do not take lists them.
fn parameters(url: &str) -> Vec<String> {
    let wrong = "qqqqqqqqqqqqqqqq";
    let separator = if url.contains('?') { '&' } else { '?' };
    let built =
        Configuration::from_url(&format!("{url}{separator}{wrong}=1")).and_then(|it| it.build());
    let message = built.expect_err("nobody knows this parameter").to_string();
    let listed = message
        .split_once("there is ")
        .and_then(|(_, rest)| rest.split_once(", the settings of a cache"));
    let (listed, _) = listed.unwrap_or_else(|| panic!("{url}: {message}"));
    listed.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_parameter_of_a_store_is_in_the_guide() {
    let stores = page("docs/stores.md");
    for url in [
        "rediss://localhost/0",
        "redis+sentinel://localhost",
        "memcacheds://localhost",
        "sqlite://memory",
        "file://./guide",
        "s3://bucket/prefix?anonymous=1",
        "gs://bucket/prefix?anonymous=1",
        "az://container/prefix?anonymous=1&account=shop",
    ] {
        let parameters = parameters(url);
        assert!(parameters.len() > 11, "{url}: {parameters:?}");
        for name in parameters {
            assert!(
                says(&stores, &name),
                "docs/stores.md says nothing of `{name}`, which {url} takes"
            );
        }
    }
}

/// The texts of a table in the code: `const NAME: [&str; n] = ["..", ".."];`.
fn table(code: &str, name: &str) -> Vec<String> {
    let (_, rest) = code
        .split_once(&format!("const {name}: "))
        .unwrap_or_else(|| panic!("no table `{name}`"));
    let (items, _) = rest.split_once("];").expect("the table ends");
    let items: Vec<_> = items
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(!items.is_empty(), "`{name}` is empty");
    items
}

#[test]
fn every_setting_is_in_the_guide() {
    let knobs = page("crates/larder/src/config/knobs.rs");
    for (tables, name) in [
        (
            &["CACHE", "POLICY", "CODEC", "LIMITS", "LEVEL"][..],
            "docs/configuration.md",
        ),
        (&["LIMITS", "LEVEL"], "docs/stores.md"),
        (&["CODEC"], "docs/codecs.md"),
    ] {
        let page = page(name);
        for setting in tables.iter().flat_map(|each| table(&knobs, each)) {
            assert!(says(&page, &setting), "{name} says nothing of `{setting}`");
        }
    }
}

#[test]
fn every_advice_is_in_the_guide() {
    let code = page("crates/larder/src/config/advice.rs");
    let rows = code.lines().filter_map(|line| line.strip_prefix("/// | `"));
    let ids: Vec<&str> = rows
        .filter_map(|row| Some(row.split_once('`')?.0))
        .collect();
    assert!(ids.len() >= 12, "{ids:?}");
    let page = page("docs/configuration.md");
    for id in ids {
        assert!(
            says(&page, id),
            "docs/configuration.md says nothing of `{id}`"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    let mut seen = 0;
    for (name, page) in pages() {
        let at = root().join(&name);
        let directory = at.parent().expect("a page lies in a directory");
        let prose: String = page.split("```").step_by(2).collect();
        for link in prose
            .split("](")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once(')')?.0))
        {
            if link.contains("://") {
                continue;
            }
            let path = link.split('#').next().unwrap_or_default();
            assert!(directory.join(path).exists(), "{name} links to {link}");
            let leaves = name.starts_with("docs/") && path.starts_with("..");
            assert!(!leaves, "{name}: {link} is not in the book");
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} links");
}

/// Pages that are no feature: ways in, advice, tables, other libraries.
const OTHER_PAGES: &[&str] = &[
    "SUMMARY",
    "choosing",
    "flaws",
    "operating",
    "own-store",
    "performance",
    "security",
    "service",
    "start",
    "testing",
];

#[test]
fn the_page_of_a_feature_tells_of_its_events_and_pitfalls() {
    let mut seen = 0;
    for (path, page) in pages() {
        let Some(name) = path
            .strip_prefix("docs/")
            .and_then(|n| n.strip_suffix(".md"))
        else {
            continue;
        };
        if OTHER_PAGES.contains(&name) || name.starts_with("from-") {
            continue;
        }
        for heading in ["\n## Events\n", "\n## Pitfalls\n"] {
            assert!(page.contains(heading), "{path} has no {}", heading.trim());
        }
        seen += 1;
    }
    assert!(seen > 25, "only {seen} features");
}

/// What the pages on keys and hash tags show.
#[test]
fn doubled_braces_are_braces_of_a_hash_tag() {
    let template = larder::Template::parse("user:{{{id}}}:name").expect("a template");
    let key = template
        .render([("id", &7 as &dyn larder::KeyPart)])
        .expect("a key");
    assert_eq!(key.as_str(), "user:{7}:name");
}
