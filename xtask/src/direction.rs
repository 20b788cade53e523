//! Which module of the library may name which: dependencies point downwards, and an adapter knows no sibling.

use std::fs;
use std::path::{Path, PathBuf};

/// From the top to the bottom. A module may name its own layer and those below it; one that is not listed is on the
/// lowest layer, where the plain types live.
const LAYERS: &[&[&str]] = &[
    &[
        "background",
        "blocking",
        "deferred",
        "explain",
        "handle",
        "inspect",
        "ops",
        "private",
        "testing",
        "transaction",
    ],
    &["engine"],
    &["cache", "config"],
    &[],
];

/// Directories of adapters: each file in them implements one trait and could be taken away without the others.
const ADAPTERS: &[&str] = &["store", "codec", "guard", "observe"];

/// What lies among the adapters and is none: parts that several of them are made of.
const PARTS: &[&str] = &[
    "head", "late", "local", "owed", "states", "tally", "token", "wait",
];

/// Reads all sources and names every line that points the wrong way.
pub(crate) fn check(sources: &Path) -> Result<(), String> {
    let mut wrong = Vec::new();
    for file in files(sources)? {
        let text = fs::read_to_string(&file).map_err(|error| cannot_read(&file, &error))?;
        let inside = file.strip_prefix(sources).unwrap_or(&file);
        let module: Vec<String> = inside
            .with_extension("")
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        for fault in faults(&module, &text) {
            wrong.push(format!("{}:{}", inside.display(), fault));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "modules that depend upwards or sideways (the layers are in xtask/src/direction.rs):\n  {}",
            wrong.join("\n  ")
        ))
    }
}

/// The faults of one file, each as `line: what`.
fn faults(module: &[&str], text: &str) -> Vec<String> {
    let own = layer(module.first().copied().unwrap_or_default());
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // Unit tests may set up whatever they need.
        if line.trim() == "#[cfg(test)]" {
            break;
        }
        if line.trim_start().starts_with("//") {
            continue;
        }
        for path in line.split("crate::").skip(1) {
            let mut words = path.split(|c: char| !c.is_alphanumeric() && c != '_');
            let first = words.next().unwrap_or_default();
            if layer(first) < own && module != ["lib"] {
                let from = module.join("::");
                faults.push(format!(
                    "{}: `{from}` names `{first}`, which is above it",
                    number + 1
                ));
            }
            let second = path
                .strip_prefix(first)
                .and_then(|rest| rest.strip_prefix("::"));
            let second = second.and_then(|rest| {
                rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
            });
            if let (true, [directory, adapter, ..], Some(named)) =
                (ADAPTERS.contains(&first), module, second)
                && *directory == first
                && named.starts_with(char::is_lowercase)
                && named != *adapter
                && !PARTS.contains(&named)
            {
                faults.push(format!(
                    "{}: adapter `{adapter}` names its sibling `{named}`",
                    number + 1
                ));
            }
        }
    }
    faults
}

/// Smaller is higher.
fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or(LAYERS.len() - 1)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let entries = fs::read_dir(directory).map_err(|error| cannot_read(directory, &error))?;
    for entry in entries {
        let path = entry
            .map_err(|error| cannot_read(directory, &error))?
            .path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn cannot_read(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_library_depends_downwards_only() {
        let sources = crate::step::root().join("crates/larder/src");
        assert_eq!(check(&sources), Ok(()));
    }

    #[test]
    fn a_lower_module_must_not_name_a_higher_one() {
        assert_eq!(faults(&["policy"], "use crate::engine::Engine;").len(), 1);
        assert_eq!(faults(&["cache"], "use crate::engine::Engine;").len(), 1);
        assert_eq!(faults(&["engine"], "use crate::cache::{Cache};").len(), 0);
        assert_eq!(faults(&["engine"], "use crate::policy::Policy;").len(), 0);
        assert_eq!(faults(&["lib"], "pub use crate::cache::Cache;").len(), 0);
    }

    #[test]
    fn an_adapter_must_not_name_a_sibling() {
        assert_eq!(
            faults(&["store", "redis"], "use crate::store::sqlite::open;").len(),
            1
        );
        assert_eq!(
            faults(&["store", "redis"], "use crate::store::Store;").len(),
            0
        );
        assert_eq!(
            faults(&["store", "redis", "url"], "use crate::store::redis::X;").len(),
            0
        );
    }

    #[test]
    fn comments_and_unit_tests_may_name_anything() {
        assert_eq!(
            faults(
                &["policy"],
                "// crate::engine\n#[cfg(test)]\nuse crate::cache::X;"
            )
            .len(),
            0
        );
    }
}
