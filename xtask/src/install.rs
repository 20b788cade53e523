//! Programs that tests need: installed where that can be done, else said clearly.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::step::root;

/// Servers and their tools, and the Debian packages that bring them.
const PROGRAMS: &[(&str, &str)] = &[
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("redis-sentinel", "redis-sentinel"),
    ("memcached", "memcached"),
    ("openssl", "openssl"),
    ("npm", "npm"),
];

/// Where the tests look for Azurite, below the target directory.
const TOOLS: &str = "test-tools";
const AZURITE: &str = "3.37.0";

/// Installs all that the tests need and that is not there.
pub(crate) fn all() -> Result<(), String> {
    packages()?;
    azurite()
}

fn packages() -> Result<(), String> {
    let missing = PROGRAMS.iter().filter(|(program, _)| !is_there(program));
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!(
        "the tests need {0}: `apt-get install {0}` as root on Debian, or what brings them elsewhere",
        packages.join(" ")
    );
    if !is_there("apt-get") || !is_root() {
        return Err(by_hand);
    }
    let installed = apt(&["update", "-qq"]) && {
        let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
        arguments.extend(&packages);
        apt(&arguments)
    };
    if installed { Ok(()) } else { Err(by_hand) }
}

fn apt(arguments: &[&str]) -> bool {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // The packages would start their servers; the tests start their own.
        .env("RUNLEVEL", "1")
        .stdout(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories = std::env::split_paths(&path);
    directories.any(|directory| Path::new(&directory).join(program).is_file())
}

/// Installs Azurite, the emulator of Azure Blob Storage, unless this version is there; its tests find it below the target directory.
pub(crate) fn azurite() -> Result<(), String> {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let tools = target
        .map_or_else(|| root().join("target"), |target| root().join(target))
        .join(TOOLS);
    let manifest = tools.join("node_modules/azurite/package.json");
    let installed = std::fs::read_to_string(&manifest).unwrap_or_default();
    if installed.contains(&format!("\"version\": \"{AZURITE}\"")) {
        return Ok(());
    }
    std::fs::create_dir_all(&tools)
        .map_err(|error| format!("{} cannot be made: {error}", tools.display()))?;
    let status = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--prefix"])
        .arg(&tools)
        .arg(format!("azurite@{AZURITE}"))
        .status()
        .map_err(|error| {
            format!("`npm` cannot be run ({error}): install Node.js 20 or later, with npm")
        })?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`npm install azurite@{AZURITE}` failed"))
    }
}
