//! Runs the example of all stores, which lies in a package of its own: nobody else has to build clients of stores that they do not use.

use std::process::{Command, exit};

fn main() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ran = Command::new(cargo)
        .args(["run", "--release", "--package", "larder-stores"])
        .args(std::env::args_os().skip(1))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status();
    match ran {
        Ok(status) => exit(status.code().unwrap_or(1)),
        Err(error) => {
            eprintln!("cargo cannot be run: {error}");
            exit(1);
        }
    }
}
