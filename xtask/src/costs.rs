//! `cargo xtask costs`: what each feature costs whoever builds it.

use std::path::Path;
use std::time::Instant;

use crate::check::{crate_count, features};
use crate::step::{cargo, root};

/// A row for the default, one for the bare library and one for each feature alone: crates, and the time of a first build of them all in the dev profile.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    if !arguments.is_empty() {
        return Err("`cargo xtask costs` takes nothing".to_owned());
    }
    let target = root().join("target/costs");
    println!(
        "| features | crates | processor time | on {} cores |",
        cores()
    );
    println!("|---|---|---|---|");
    row("default", &[], &target)?;
    row("none", &["--no-default-features"], &target)?;
    for feature in features()? {
        let alone = ["--no-default-features", "--features", &feature];
        row(&format!("`{feature}`"), &alone, &target)?;
    }
    std::fs::remove_dir_all(&target).map_err(|error| error.to_string())
}

fn row(name: &str, choice: &[&str], target: &Path) -> Result<(), String> {
    if target.exists() {
        std::fs::remove_dir_all(target).map_err(|error| error.to_string())?;
    }
    let crates = crate_count(choice)?;
    let (began, spent) = (Instant::now(), processor_time()?);
    let output = cargo()
        .args(["build", "--package", "larder", "--locked"])
        .args(choice)
        .env("CARGO_TARGET_DIR", target)
        .current_dir(root())
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let (wall, spent) = (began.elapsed().as_secs_f64(), processor_time()? - spent);
    println!("| {name} | {crates} | {spent:.0} s | {wall:.0} s |");
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Seconds that all ended children have used: fields 16 and 17 of `/proc/self/stat`, in hundredths (proc_pid_stat(5)).
fn processor_time() -> Result<f64, String> {
    let text = std::fs::read_to_string("/proc/self/stat")
        .map_err(|error| format!("the time of processes is known on Linux only: {error}"))?;
    children_time(&text).ok_or_else(|| format!("/proc/self/stat says `{text}`"))
}

fn children_time(stat: &str) -> Option<f64> {
    // The name, field 2, may hold anything but ends with the last parenthesis.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(13);
    let (user, system) = (fields.next()?, fields.next()?);
    Some((user.parse::<f64>().ok()? + system.parse::<f64>().ok()?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_children_is_read_after_any_name() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 11 12 150 250 20 0";
        assert_eq!(children_time(stat), Some(4.0));
    }
}
