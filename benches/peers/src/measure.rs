//! Rounds: in every round all subjects of a case run one after another, so that what disturbs the machine
//! disturbs them alike, and a ratio is the median of the ratios of single rounds.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::board::{Entry, Loop, Work};
use crate::case::{CAPACITY, Case, Ids, Kind};
use crate::material::take_loads;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds of a loop.
    pub rounds: usize,
    /// Rounds of what is slow: memory, tags and herds.
    pub slow_rounds: usize,
    /// How long one subject's loop runs in one round.
    pub slice: Duration,
}

/// One subject's samples of one case, one for each round.
#[derive(Clone, Debug)]
pub struct Row {
    pub case: &'static Case,
    pub subject: &'static str,
    pub samples: Vec<f64>,
    pub allocs: Option<f64>,
}

impl Row {
    pub fn median(&self) -> f64 {
        median(self.samples.clone())
    }

    pub fn min(&self) -> f64 {
        self.samples.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn max(&self) -> f64 {
        self.samples.iter().copied().fold(0.0, f64::max)
    }

    /// How this row stands to another one of the same case: the median of the rounds' ratios.
    pub fn ratio_to(&self, baseline: &Row) -> f64 {
        let pairs = self.samples.iter().zip(&baseline.samples);
        median(pairs.map(|(own, other)| own / other).collect())
    }
}

fn span(instants: impl Iterator<Item = Instant> + Clone) -> (Instant, Instant) {
    let first = instants.clone().min().expect("there are threads");
    (first, instants.max().expect("there are threads"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// A loop that is set up, warm, and knows how many operations fill its slice.
struct Runner {
    case: &'static Case,
    subject: &'static str,
    work: Loop,
    count: u64,
    next: u64,
}

impl Runner {
    fn new(case: &'static Case, subject: &'static str, work: Loop, slice: Duration) -> Runner {
        let mut runner = Runner {
            case,
            subject,
            work,
            count: 1024,
            // Numbers that no hit case has asked for.
            next: 1 << 32,
        };
        runner.warm();
        while runner.time() * (runner.count as f64) < slice.as_nanos() as f64 / 2.0 {
            runner.count *= 2;
        }
        runner
    }

    /// Every key is present afterwards; in a miss case the cache is full.
    fn warm(&mut self) {
        let rounds = match self.case.kind {
            Kind::Miss => 2 * CAPACITY as u64,
            _ => 2 * self.case.keys,
        };
        for thread in 0..self.case.threads {
            let ids = self.ids(thread, rounds);
            (self.work)(ids);
        }
        self.next += rounds;
    }

    fn ids(&self, thread: u64, count: u64) -> Ids {
        Ids::of(self.case, thread, self.next, count)
    }

    /// One slice: nanoseconds of wall time by operations of all threads.
    fn time(&mut self) -> f64 {
        let elapsed = if self.case.threads == 1 {
            let ids = self.ids(0, self.count);
            let start = Instant::now();
            (self.work)(ids);
            start.elapsed()
        } else {
            self.time_together()
        };
        self.next += self.count;
        elapsed.as_nanos() as f64 / (self.count * self.case.threads) as f64
    }

    /// All threads at once, each on a processor of its own; a round in which they hardly met is repeated.
    fn time_together(&self) -> Duration {
        let mut wall = Duration::ZERO;
        for _ in 0..5 {
            let times = self.run_together();
            let (first, all_in) = span(times.iter().map(|time| time.0));
            let (one_out, last) = span(times.iter().map(|time| time.1));
            wall = last - first;
            if one_out.saturating_duration_since(all_in) * 10 >= wall * 9 {
                break;
            }
        }
        wall
    }

    fn run_together(&self) -> Vec<(Instant, Instant)> {
        let ready = Barrier::new(self.case.threads as usize);
        let run = |thread| {
            crate::processor::pin(thread);
            let ids = self.ids(thread, self.count);
            ready.wait();
            let start = Instant::now();
            (self.work)(ids);
            (start, Instant::now())
        };
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..self.case.threads)
                .map(|thread| scope.spawn(move || run(thread)))
                .collect();
            handles
                .into_iter()
                .map(|handle| handle.join().expect("a measured loop does not panic"))
                .collect()
        })
    }

    fn allocs(&mut self) -> f64 {
        let count = 4 * crate::case::KEYS;
        let ids = self.ids(0, count);
        self.next += count;
        let ((), heap) = crate::alloc::count(|| (self.work)(ids));
        heap.allocations as f64 / count as f64
    }
}

/// Runs all subjects of one case.
pub fn measure(case: &'static Case, entries: &[&Entry], effort: Effort) -> Vec<Row> {
    match case.kind {
        Kind::Hit | Kind::Miss | Kind::Write => measure_loops(case, entries, effort),
        Kind::Once | Kind::Memory | Kind::Herd => measure_slow(case, entries, effort),
    }
}

fn measure_loops(case: &'static Case, entries: &[&Entry], effort: Effort) -> Vec<Row> {
    let mut runners: Vec<Runner> = entries
        .iter()
        .filter_map(|entry| match (entry.set_up)() {
            Work::Loop(work) => Some(Runner::new(case, entry.subject, work, effort.slice)),
            _ => None,
        })
        .collect();
    let mut rows: Vec<Row> = runners.iter().map(|r| row(case, r.subject)).collect();
    take_loads();
    for round in 0..effort.rounds {
        // Another one goes first in every round: nobody always runs in the wake of the same neighbour.
        for turn in 0..runners.len() {
            let index = (round + turn) % runners.len();
            rows[index].samples.push(runners[index].time());
            let loads = take_loads();
            assert!(
                case.kind != Kind::Hit || loads == 0,
                "{}: {} ran its source {loads} times where every key is present",
                case.name,
                rows[index].subject,
            );
        }
    }
    for (row, runner) in rows.iter_mut().zip(&mut runners) {
        row.allocs = Some(runner.allocs());
    }
    rows
}

fn measure_slow(case: &'static Case, entries: &[&Entry], effort: Effort) -> Vec<Row> {
    let mut rows: Vec<Row> = entries.iter().map(|e| row(case, e.subject)).collect();
    // A cold key for each herd, also for caches that live as long as the process.
    static COLD: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1 << 40);
    let mut works: Vec<Work> = Vec::new();
    // A million tagged entries of one subject at a time are enough for the machine.
    if case.kind != Kind::Once {
        works = entries.iter().map(|entry| (entry.set_up)()).collect();
    }
    for (index, entry) in entries.iter().enumerate() {
        if case.kind != Kind::Once {
            break;
        }
        let mut work = (entry.set_up)();
        for round in 0..effort.slow_rounds as u64 {
            rows[index].samples.push(sample(case, &mut work, round));
        }
    }
    for _ in 0..effort.slow_rounds {
        for (row, work) in rows.iter_mut().zip(&mut works) {
            let key = COLD.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            row.samples.push(sample(case, work, key));
        }
    }
    rows
}

fn sample(case: &'static Case, work: &mut Work, round: u64) -> f64 {
    match work {
        Work::Once(operation) => operation(round).as_nanos() as f64,
        Work::Fill(fill) => {
            let filled = fill();
            let bytes = match case.name {
                "memory.usable" => filled.heap.usable,
                _ => filled.heap.requested,
            };
            bytes as f64 / filled.entries as f64
        }
        Work::Herd(herd) => {
            let herd = herd(round);
            match case.name {
                "herd.loads" => herd.loads as f64,
                _ => herd.time.as_secs_f64() * 1e3,
            }
        }
        Work::Loop(_) => f64::NAN,
    }
}

fn row(case: &'static Case, subject: &'static str) -> Row {
    Row {
        case,
        subject,
        samples: Vec::new(),
        allocs: None,
    }
}

/// Runs one subject's loop alone, for an instruction counter or a profiler.
pub fn run_alone(entry: &Entry, iterations: u64) {
    match (entry.set_up)() {
        Work::Loop(work) => {
            let mut runner = Runner {
                case: entry.case,
                subject: entry.subject,
                work,
                count: iterations,
                next: 1 << 32,
            };
            runner.warm();
            let nanoseconds = runner.time();
            println!(
                "{}: {}: {iterations} iterations, {nanoseconds:.2} ns/op",
                entry.case.name, entry.subject
            );
        }
        mut work => {
            for round in 0..iterations {
                let value = sample(entry.case, &mut work, round);
                println!(
                    "{}: {}: {value:.2} {}",
                    entry.case.name, entry.subject, entry.case.unit
                );
            }
        }
    }
}
