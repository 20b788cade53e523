//! Stores beside their bare clients, in one run: `cargo xtask bench stores`, or this binary itself. See README.md.

use std::process::ExitCode;

use measure::{Bench, Effort};

mod budget;
mod disks;
mod material;
mod measure;
mod memcached;
#[path = "../../../crates/larder/tests/servers/memcached.rs"]
mod memcached_server;
mod redis;
#[path = "../../../crates/larder/tests/servers/redis.rs"]
mod redis_server;
mod report;
#[path = "../../../crates/larder/tests/servers/mod.rs"]
mod servers;
mod trips;
#[path = "../../../crates/larder/tests/servers/wire.rs"]
mod wire;

const USAGE: &str = "\
options:
  --json FILE        write all rows as JSON
  --quick            fewer and shorter rounds
  --case NAME        only the cases whose name starts so (may be repeated)
  --subject NAME     only the subjects whose name starts so (may be repeated)
  --iterations N     run the loop of each chosen subject N times and measure nothing: for a profiler";

struct Options {
    bench: Bench,
    json: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        bench: Bench::new(Effort::WHOLE),
        json: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--json" => options.json = Some(value()?),
            "--quick" => options.bench.effort = Effort::QUICK,
            "--case" => options.bench.cases.push(value()?),
            "--subject" => options.bench.subjects.push(value()?),
            "--iterations" => {
                let number = value()?.parse();
                options.bench.iterations = Some(number.map_err(|_| USAGE.to_owned())?);
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let mut options = match options() {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::FAILURE;
        }
    };
    let bench = &mut options.bench;
    trips::run(bench);
    redis::run(bench);
    memcached::run(bench);
    disks::run(bench);
    budget::print(&bench.rows);
    if let Some(file) = &options.json
        && let Err(error) = std::fs::write(file, report::json(&bench.rows))
    {
        eprintln!("{file} cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
