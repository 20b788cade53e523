//! Each example proves its claims when it is run; these tests run them.

use std::path::PathBuf;
use std::process::{Command, Output};

fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("a test knows where it is");
    let built = test
        .ancestors()
        .nth(2)
        .expect("a test lies in `deps`")
        .join("examples");
    let program = built
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.exists(),
        "build the examples first: cargo build -p larder-examples --examples"
    );
    let mut command = Command::new(program);
    // Where a user would be.
    command.current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."));
    command
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn proves(name: &str) {
    let output = example(name).output().expect("the example can be started");
    assert!(output.status.success(), "{name}:\n{}", text(&output));
    assert!(
        output.stderr.is_empty(),
        "{name} complains:\n{}",
        text(&output)
    );
    assert!(!output.stdout.is_empty(), "{name} shows nothing");
}

#[test]
fn strategies() {
    proves("strategies");
}

#[test]
fn invalidation() {
    proves("invalidation");
}

#[test]
fn rate_limit() {
    proves("rate_limit");
}

#[test]
fn slow_call() {
    proves("slow_call");
}

#[test]
fn stampede() {
    proves("stampede");
}

#[test]
fn timeouts() {
    proves("timeouts");
}

#[test]
fn conditional() {
    proves("conditional");
}

#[test]
fn overrides() {
    proves("overrides");
}

#[test]
fn keys() {
    proves("keys");
}

#[test]
fn bloom() {
    proves("bloom");
}

#[test]
fn scoped() {
    proves("scoped");
}

#[test]
fn methods() {
    proves("methods");
}

#[test]
fn sync_only() {
    proves("sync_only");
}

#[test]
fn locked() {
    proves("locked");
}

#[test]
fn circuit_breaker() {
    proves("circuit_breaker");
}

#[test]
fn batch() {
    proves("batch");
}

#[test]
fn stream() {
    proves("stream");
}

#[test]
fn observe() {
    proves("observe");
}

#[test]
fn background() {
    proves("background");
}

#[test]
fn warm() {
    proves("warm");
}

#[test]
fn middleware() {
    proves("middleware");
}

#[test]
fn detection() {
    proves("detection");
}

#[test]
fn rules() {
    proves("rules");
}

#[test]
fn transactions() {
    proves("transactions");
}

#[test]
fn on_commit() {
    proves("on_commit");
}

#[test]
fn quickstart_walks_the_repository() {
    let output = example("quickstart")
        .output()
        .expect("the example can be started");
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for part in [
        "total",
        "An edge",
        "A stale hit",
        "A source that fails",
        "next call",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn quickstart_refuses_what_is_no_directory() {
    for (argument, reason) in [
        ("no/such/directory", "no/such/directory"),
        ("Cargo.toml", "not a directory"),
    ] {
        let output = example("quickstart")
            .arg(argument)
            .output()
            .expect("the example can be started");
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(reason), "{}", text(&output));
    }
}
