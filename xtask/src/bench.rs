//! `cargo xtask bench`: Larder beside its peers, in one run; `bench stores`: stores beside their bare clients, each with a workspace and a lock file of its own; `bench outage`: calls while a server is stopped.

use crate::step::{cargo, root};

/// Builds a measuring binary in release and hands the other arguments to it.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    if arguments.first().is_some_and(|first| first == "outage") {
        return outage();
    }
    let (package, arguments) = match arguments.split_first() {
        Some((first, rest)) if first == "stores" => ("stores", rest),
        _ => ("peers", arguments),
    };
    // The directory stays the caller's, so that `--json FILE` means the file they named.
    let status = cargo()
        .args(["run", "--release", "--manifest-path"])
        .arg(root().join("benches").join(package).join("Cargo.toml"))
        .arg("--")
        .args(arguments)
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("the measurement did not finish, see above".to_owned())
    }
}

fn outage() -> Result<(), String> {
    let status = cargo()
        .args([
            "bench",
            "--package",
            "larder",
            "--all-features",
            "--bench",
            "outage",
        ])
        .current_dir(root())
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err("the measurement did not finish, see above".to_owned()),
    }
}
