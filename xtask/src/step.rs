//! One command of cargo: what it is called, how it is run, and what became of it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::counts::Counts;

/// A row of a table of steps.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// Arguments of cargo.
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Conditional compilation: such a build gets a target directory of its own, so that the plain one stays warm.
    pub(crate) cfgs: Vec<String>,
}

/// A step: `name` and the words of its cargo command.
pub(crate) fn step(name: &str, command: &str) -> Step {
    Step {
        name: name.to_owned(),
        arguments: command.split_whitespace().map(str::to_owned).collect(),
        environment: Vec::new(),
        cfgs: Vec::new(),
    }
}

impl Step {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Step {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Compiles with `--cfg name`.
    pub(crate) fn cfg(mut self, name: &str) -> Step {
        self.cfgs.push(name.to_owned());
        self
    }

    /// The command as one would type it.
    pub(crate) fn typed(&self) -> String {
        let mut words: Vec<String> = self
            .all_environment()
            .into_iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        words.push("cargo".to_owned());
        words.extend(self.arguments.iter().cloned());
        words.join(" ")
    }

    /// Runs the step; its output goes to the terminal and its test results are counted.
    pub(crate) fn run(&self) -> Outcome {
        let start = Instant::now();
        let mut command = cargo();
        command
            .args(&self.arguments)
            .envs(lean(std::env::var_os("CI").is_some()))
            .envs(self.all_environment())
            .current_dir(root())
            .stdout(Stdio::piped());
        let (succeeded, counts) = match tee(&mut command) {
            Ok(result) => result,
            Err(error) => {
                eprintln!("cargo cannot be run: {error}");
                (false, Counts::default())
            }
        };
        Outcome {
            succeeded,
            counts,
            time: start.elapsed(),
        }
    }

    fn all_environment(&self) -> Vec<(String, String)> {
        let mut all = self.environment.clone();
        if !self.cfgs.is_empty() {
            let own = self.cfgs.iter().map(|cfg| format!("--cfg {cfg}"));
            let given = std::env::var("RUSTFLAGS").ok();
            let flags: Vec<String> = given.into_iter().chain(own).collect();
            all.push(("RUSTFLAGS".to_owned(), flags.join(" ")));
            let directory = format!("{}/{}", target(), self.cfgs.join("-"));
            all.push(("CARGO_TARGET_DIR".to_owned(), directory));
        }
        all
    }
}

/// What builds the same tests in less than half the space. Where `CI` is set nobody builds a second time, so that what
/// makes the second build fast is not worth its gigabytes, and nobody attaches a debugger. What the caller has set stays.
fn lean(ci: bool) -> Vec<(&'static str, &'static str)> {
    let all = [
        ("CARGO_INCREMENTAL", "0"),
        ("CARGO_PROFILE_DEV_DEBUG", "false"),
        ("CARGO_PROFILE_TEST_DEBUG", "false"),
    ];
    all.into_iter()
        .filter(|(name, _)| ci && std::env::var_os(name).is_none())
        .collect()
}

/// Megabytes that are free where cargo builds, if `df` tells.
pub(crate) fn free_megabytes() -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(root()).output().ok()?;
    parse_free(&String::from_utf8_lossy(&output.stdout))
}

/// The fourth column of the second line of `df -Pk` (POSIX), in megabytes.
fn parse_free(table: &str) -> Option<u64> {
    let free = table.lines().nth(1)?.split_whitespace().nth(3)?;
    Some(free.parse::<u64>().ok()? / 1024)
}

/// What became of a step.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) succeeded: bool,
    pub(crate) counts: Counts,
    pub(crate) time: Duration,
}

/// Chooses from a table by the name on the command line, or prints the table.
pub(crate) fn choose(steps: Vec<Step>, arguments: &[String]) -> Result<Vec<Step>, String> {
    match arguments {
        [] => Ok(steps),
        [flag] if flag == "--list" => {
            for step in &steps {
                println!("{:<24} {}", step.name, step.typed());
            }
            Ok(Vec::new())
        }
        [name] => {
            let names: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
            let chosen: Vec<Step> = steps.into_iter().filter(|s| s.name == *name).collect();
            if chosen.is_empty() {
                let names = names.join("`, `");
                return Err(format!("there is no step `{name}`; there are `{names}`"));
            }
            Ok(chosen)
        }
        _ => Err("name one step (in quotes if it has spaces), or none for all".to_owned()),
    }
}

/// Says that a step begins.
pub(crate) fn announce(step: &Step) {
    println!("\n== {}: {}", step.name, step.typed());
}

/// The directory of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// The cargo that started us, so that a chosen toolchain stays chosen.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo said to us about this package is not true of the packages that we ask it to build.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

fn target() -> String {
    std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned())
}

fn tee(command: &mut Command) -> std::io::Result<(bool, Counts)> {
    let mut child = command.spawn()?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        let mut terminal = std::io::stdout().lock();
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        // Bytes, not text: a test may print anything.
        while output.read_until(b'\n', &mut line)? > 0 {
            terminal.write_all(&line)?;
            terminal.flush()?;
            counts.read(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }
    Ok((child.wait()?.success(), counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_space_is_read_from_a_posix_table() {
        let table = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 263174212 52428800 44040192 55% /\n";
        assert_eq!(parse_free(table), Some(43_008));
        assert_eq!(parse_free("df: no such file"), None);
        assert_eq!(parse_free(""), None);
    }

    #[test]
    fn what_is_built_for_a_developer_is_built_as_the_profiles_say() {
        assert!(lean(false).is_empty());
    }
}
