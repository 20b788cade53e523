//! The project's commands: the only ones that anyone types besides cargo's own.

use std::process::ExitCode;

mod bench;
mod book;
mod check;
mod costs;
mod counts;
mod direction;
mod install;
mod step;
mod test;
mod words;

const USAGE: &str = "\
cargo xtask test [STEP]          everything that decides whether a change is good; one step alone by its name
cargo xtask test --list          the steps and their commands
cargo xtask check [STEP]         format, lints, documentation, links, features, direction of dependencies, words
cargo xtask check --list         the steps and their commands
cargo xtask bench [OPTIONS]      Larder beside its peers in one run: --json FILE, --quick, --help for the rest
cargo xtask bench stores [OPTIONS]   stores beside their bare clients in one run: --json FILE, --quick
cargo xtask bench outage         what calls cost while a server is stopped or killed
cargo xtask costs                crates and build time of each feature
cargo xtask book                 the guide as a book, if mdBook is there";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    // `cargo xtask bench -- --json FILE` and the same without the dashes are one command.
    let rest: Vec<String> = arguments.filter(|argument| argument != "--").collect();
    let outcome = match command.as_deref() {
        Some("test") => test::run(&rest),
        Some("check") => check::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("costs") => costs::run(&rest),
        Some("book") => book::run(&rest),
        Some(other) => Err(format!("there is no command `{other}`\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
