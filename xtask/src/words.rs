//! One word for one idea: what is written for readers uses the words of the project.

use std::path::{Path, PathBuf};

use crate::step::root;

/// A word that others use, and ours.
const WORDS: &[(&str, &str)] = &[
    ("backend", "store"),
    ("backends", "stores"),
    ("decorator", "attribute"),
    ("decorators", "attributes"),
    ("dogpile", "stampede"),
    ("thundering", "stampede"),
    ("single-flight", "flight"),
    ("singleflight", "flight"),
    ("namespace", "prefix"),
    ("namespaces", "prefixes"),
    ("serializer", "codec"),
    ("serializers", "codecs"),
    ("listener", "observer"),
    ("listeners", "observers"),
    ("memoize", "cache"),
    ("memoized", "cached"),
    ("purge", "invalidate"),
    ("purged", "invalidated"),
    ("helper", "what it does"),
    ("helpers", "what they do"),
    ("manager", "what it does"),
    ("util", "what it does"),
    ("utils", "what they do"),
];

/// Whether a page speaks of others, in their words.
fn speaks_of_others(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("from-") || name == "flaws.md"
}

/// Looks through all pages and all documentation in the code.
pub(crate) fn check() -> Result<(), String> {
    let mut files = Vec::new();
    for place in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "docs",
        "crates",
        "examples",
    ] {
        collect(&root().join(place), &mut files)?;
    }
    let mut found = Vec::new();
    for path in files.iter().filter(|path| !speaks_of_others(path)) {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let prose = match path.extension().is_some_and(|end| end == "md") {
            true => prose_of_page(&text),
            false => prose_of_code(&text),
        };
        for (line, word, ours) in foreign(&prose) {
            let path = path.strip_prefix(root()).unwrap_or(path);
            found.push(format!(
                "{}:{line}: `{word}` is `{ours}` here",
                path.display()
            ));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(format!("\n{}", found.join("\n")))
}

fn collect(place: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{} cannot be read: {error}", place.display());
    if place.is_file() {
        if place
            .extension()
            .is_some_and(|end| end == "md" || end == "rs")
        {
            files.push(place.to_owned());
        }
        return Ok(());
    }
    let mut inside = Vec::new();
    for entry in std::fs::read_dir(place).map_err(failed)? {
        inside.push(entry.map_err(failed)?.path());
    }
    inside.sort();
    for path in inside {
        // Tests repeat the words of others, as they must.
        if path.file_name().is_none_or(|name| name != "tests") {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// Lines with their numbers, without blocks of code and names of what people come from.
fn prose_of_page(text: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut prose = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code && !line.contains("](from-") {
            prose.push((number, line));
        }
    }
    prose
}

/// Lines of documentation with their numbers, without blocks of code.
fn prose_of_code(text: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut prose = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_start();
        let Some(said) = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"))
        else {
            in_code = false;
            continue;
        };
        if said.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            prose.push((number, said));
        }
    }
    prose
}

/// Words of others outside of `code` and of addresses of links.
fn foreign<'a>(prose: &[(usize, &'a str)]) -> Vec<(usize, &'a str, &'static str)> {
    let mut found = Vec::new();
    for (number, line) in prose {
        // What lies between backquotes is every second part.
        for said in line.split('`').step_by(2) {
            let words = said.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
            for word in words {
                let ours = WORDS
                    .iter()
                    .find(|(theirs, _)| word.eq_ignore_ascii_case(theirs));
                if let Some((_, ours)) = ours {
                    found.push((*number, word, *ours));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_project_uses_its_own_words() {
        assert_eq!(check(), Ok(()));
    }

    #[test]
    fn words_of_others_are_found_in_prose_alone() {
        let page = "A backend.\n```rust\nlet backend = 1;\n```\nThe `backend` of moka\nSingle-flight it is\n";
        let found = foreign(&prose_of_page(page));
        assert_eq!(
            found,
            [(1, "backend", "store"), (6, "Single-flight", "flight")]
        );
        let code = "/// A decorator.\nfn decorator() {} // decorator\n//! ```\n//! helper\n//! ```\n//! Helpers\n";
        let found = foreign(&prose_of_code(code));
        assert_eq!(
            found,
            [
                (1, "decorator", "attribute"),
                (6, "Helpers", "what they do")
            ]
        );
    }
}
