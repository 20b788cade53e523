//! Larder beside its peers, in one run: `cargo xtask bench`, or this binary itself. See README.md.

use std::process::ExitCode;
use std::time::Duration;

use board::Entry;
use measure::{Effort, Row};

mod alloc;
mod board;
mod budget;
mod case;
mod herd;
mod material;
mod measure;
mod processor;
mod report;
mod subject;
mod tags;

const USAGE: &str = "\
options:
  --json FILE        write all rows as JSON
  --quick            fewer and shorter rounds, and a tenth of the tagged entries
  --case NAME        only the cases whose name starts so (may be repeated)
  --subject NAME     only the subjects whose name starts so (may be repeated)
  --iterations N     run the loop of exactly one case and subject N times and nothing else
  --list             say what there is";

#[derive(Default)]
struct Options {
    json: Option<String>,
    quick: bool,
    cases: Vec<String>,
    subjects: Vec<String>,
    iterations: Option<u64>,
    list: bool,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let next = arguments.next();
                next.ok_or_else(|| format!("{argument} needs a value\n{USAGE}"))
            };
            match argument.as_str() {
                "--json" => options.json = Some(value()?),
                "--quick" => options.quick = true,
                "--case" => options.cases.push(value()?),
                "--subject" => options.subjects.push(value()?),
                "--iterations" => {
                    let number = value()?;
                    let parsed = number.replace('_', "").parse();
                    options.iterations =
                        Some(parsed.map_err(|_| format!("{number} is not a number"))?);
                }
                "--list" => options.list = true,
                "--help" => return Err(USAGE.to_owned()),
                other => return Err(format!("{other} is not an option\n{USAGE}")),
            }
        }
        Ok(options)
    }

    /// An exact name wins over all that merely start like it.
    fn wants(&self, entry: &Entry, all: &[Entry]) -> bool {
        let case = chosen(&self.cases, entry.case.name, || {
            all.iter().map(|other| other.case.name).collect()
        });
        let subject = chosen(&self.subjects, entry.subject, || {
            all.iter().map(|other| other.subject).collect()
        });
        case && subject
    }

    fn effort(&self) -> Effort {
        if self.quick {
            Effort {
                rounds: 7,
                slow_rounds: 3,
                slice: Duration::from_millis(4),
            }
        } else {
            Effort {
                rounds: 21,
                slow_rounds: 7,
                slice: Duration::from_millis(16),
            }
        }
    }
}

fn chosen(wanted: &[String], name: &str, all: impl Fn() -> Vec<&'static str>) -> bool {
    wanted.is_empty()
        || wanted.iter().any(|wanted| {
            let exact = all().contains(&wanted.as_str());
            if exact {
                wanted == name
            } else {
                name.starts_with(wanted.as_str())
            }
        })
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let options = Options::parse(std::env::args().skip(1))?;
    let board = subject::all();
    let entries: Vec<&Entry> = board
        .entries
        .iter()
        .filter(|entry| options.wants(entry, &board.entries))
        .collect();
    if entries.is_empty() {
        return Err("no case and subject of these names; --list says what there is".to_owned());
    }
    if options.list {
        for entry in entries {
            println!("{:<24} {}", entry.case.name, entry.subject);
        }
        return Ok(());
    }
    // What is made once must not be counted as some cache's memory.
    material::runtime();
    material::names();
    material::prepared();
    if options.quick {
        tags::cover(100_000);
    }
    if let Some(iterations) = options.iterations {
        let [entry] = entries[..] else {
            return Err(format!(
                "--iterations runs one loop, but {} are chosen: name --case and --subject",
                entries.len()
            ));
        };
        measure::run_alone(entry, iterations);
        return Ok(());
    }
    let rows = measure_all(&entries, options.effort());
    if options.quick {
        println!("\nA quick run: tags cover 100 000 entries and short rounds are noisy.");
    }
    budget::print(&rows);
    if let Some(path) = options.json {
        std::fs::write(&path, report::json(&rows))
            .map_err(|error| format!("{path} cannot be written: {error}"))?;
        println!("\n{} rows written to {path}", rows.len());
    }
    Ok(())
}

fn measure_all(entries: &[&Entry], effort: Effort) -> Vec<Row> {
    let mut all = Vec::new();
    for case in case::ALL {
        let of_case: Vec<&Entry> = entries
            .iter()
            .copied()
            .filter(|entry| entry.case.name == case.name)
            .collect();
        let rows = measure::measure(case, &of_case, effort);
        report::print_case(&rows);
        all.extend(rows);
    }
    all
}
