//! `cargo xtask bench`: Larder beside its peers, in one run. The peers have a workspace and a lock file of their own.

use crate::step::{cargo, root};

/// Builds the measuring binary in release and hands all arguments to it.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    // The directory stays the caller's, so that `--json FILE` means the file they named.
    let status = cargo()
        .args(["run", "--release", "--manifest-path"])
        .arg(root().join("benches/peers/Cargo.toml"))
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
