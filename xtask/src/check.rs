//! `cargo xtask check`: what a reader would otherwise have to look for.

use std::collections::BTreeSet;

use crate::direction;
use crate::step::{Step, announce, cargo, choose, root, step};
use crate::words;

fn steps() -> Result<Vec<Step>, String> {
    let mut steps = vec![
        step("format", "fmt --all --check"),
        step(
            "lints",
            "clippy --workspace --all-targets --all-features --locked -- -D warnings",
        ),
        step(
            "documentation",
            "doc --workspace --no-deps --all-features --locked",
        )
        .env("RUSTDOCFLAGS", "-D warnings"),
        step(
            "links and tables of the guide",
            "test --package larder --all-features --locked --test guide --test guide_knobs",
        ),
    ];
    steps.push(step(
        "no feature",
        "clippy --package larder --no-default-features --locked -- -D warnings",
    ));
    for feature in features()? {
        steps.push(step(
            &format!("feature {feature}"),
            &format!("clippy --package larder --no-default-features --features {feature} --locked -- -D warnings"),
        ));
    }
    Ok(steps)
}

/// Runs all steps, or the one that is named.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let steps = choose(steps()?, arguments)?;
    let whole = arguments.is_empty();
    let mut times = Vec::new();
    for step in &steps {
        announce(step);
        let outcome = step.run();
        times.push(format!(
            "{:>7.1} s  {}",
            outcome.time.as_secs_f64(),
            step.name
        ));
        if !outcome.succeeded {
            return Err(format!(
                "\nstep `{}` failed\nrun it alone: cargo xtask check '{}'\nwhich is:     {}",
                step.name,
                step.name,
                step.typed()
            ));
        }
    }
    if whole {
        direction::check(&root().join("crates/larder/src"))?;
        println!("\nevery module depends downwards only");
        words::check()?;
        println!("one word for one idea in pages and documentation");
    }
    for time in times {
        println!("{time}");
    }
    if whole {
        print_dependencies()?;
    }
    Ok(())
}

/// The names in the `[features]` table of the library, so that a new one is built alone from its first day.
pub(crate) fn features() -> Result<Vec<String>, String> {
    let path = root().join("crates/larder/Cargo.toml");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(feature_names(&text))
}

fn feature_names(manifest: &str) -> Vec<String> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[features]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().trim_matches('"').to_owned())
        .filter(|name| name != "default" && !name.contains(char::is_whitespace))
        .collect()
}

/// Prints how many crates someone gets who writes `larder = "…"` and nothing else.
fn print_dependencies() -> Result<(), String> {
    let crates = crates_of(&[])?;
    let names: Vec<&str> = crates.iter().map(String::as_str).collect();
    println!(
        "\ndefault dependencies of larder: {} crates ({})",
        names.len(),
        names.join(", ")
    );
    Ok(())
}

/// How many crates someone gets with such a choice of features.
pub(crate) fn crate_count(choice: &[&str]) -> Result<usize, String> {
    crates_of(choice).map(|crates| crates.len())
}

fn crates_of(choice: &[&str]) -> Result<BTreeSet<String>, String> {
    let output = cargo()
        .args([
            "tree",
            "--package",
            "larder",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--locked",
        ])
        .args(choice)
        .current_dir(root())
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(crate_names(&String::from_utf8_lossy(&output.stdout)))
}

/// Names and versions, each once, without the library itself.
fn crate_names(tree: &str) -> BTreeSet<String> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, version) = (words.next()?, words.next()?);
            (name != "larder").then(|| format!("{name} {}", version.trim_start_matches('v')))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_but_the_default_is_found() {
        let manifest = "[package]\nname = \"x\"\n[features]\ndefault = [\"a\"]\n# words = ignored\na = []\nb = [\n  \"dep:c\",\n]\n[dependencies]\nd = \"1\"";
        assert_eq!(feature_names(manifest), ["a", "b"]);
    }

    #[test]
    fn a_crate_that_occurs_twice_counts_once() {
        let tree = "larder v0.1.0 (/x)\nitoa v1.0.0\nitoa v1.0.0 (*)\nlibc v0.2.1";
        assert_eq!(crate_names(tree).len(), 2);
    }
}
