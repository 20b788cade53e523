//! Each example proves its claims when it is run; these tests run them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Runs a program to its end, in which it has asserted what it shows.
fn proved(program: &Path) -> String {
    let output = Command::new(program)
        // Another store, and another configuration, than those that the example is about.
        .env_remove("LARDER_STORE")
        .output()
        .expect("the example can be started");
    let text = text(&output);
    assert!(output.status.success(), "{}:\n{text}", program.display());
    assert!(output.stderr.is_empty(), "it complains:\n{text}");
    text
}

fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let built = test.ancestors().nth(2).expect("a test lies in `deps`");
    let program = built.join("examples").join(name);
    program.with_extension(std::env::consts::EXE_EXTENSION)
}

#[test]
fn one_function_moves_across_all_stores() {
    let text = proved(Path::new(env!("CARGO_BIN_EXE_larder-stores")));
    for (store, tier) in [("memory", "memory"), ("sqlite", "sqlite"), ("file", "file")] {
        let row = text.lines().find(|line| line.starts_with(store));
        let answered = row.is_some_and(|row| row.ends_with(tier));
        assert!(answered, "no hit of {store} answered by {tier}:\n{text}");
    }
    for (program, rows) in [("redis-server", 3), ("memcached", 1)] {
        let is_left_out = text.contains(&format!("({program} is not installed"));
        let name = program.trim_end_matches("-server");
        let shown = text
            .lines()
            .filter(|line| line.contains(name) && !line.starts_with('('));
        assert_eq!(shown.count(), if is_left_out { 0 } else { rows }, "{text}");
    }
}

#[test]
fn a_store_of_ones_own_conforms() {
    let text = proved(&example("own_store"));
    assert!(
        text.contains("cases of the conformance suite hold"),
        "{text}"
    );
}

/// The guide shows the very program that is run above.
#[test]
fn the_guide_shows_the_example() {
    let guide = include_str!("../../../docs/own-store.md");
    let code = include_str!("../examples/own_store.rs");
    let (_, block) = guide
        .split_once("```rust,no_run\n")
        .expect("a block of code");
    let (block, _) = block.split_once("```\n").expect("its end");
    assert!(
        block == code,
        "docs/own-store.md and examples/stores/examples/own_store.rs differ"
    );
}
