//! Rounds: in every round all subjects of a case run one after another, and another one goes first each time, so that what disturbs the machine
//! disturbs them alike. A ratio is the median of the ratios of single rounds.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, EnterGuard, Runtime};

use crate::report;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// How long the first subject runs in one round.
    pub(crate) slice: Duration,
}

impl Effort {
    pub(crate) const WHOLE: Self = Self {
        rounds: 31,
        slice: Duration::from_millis(25),
    };
    pub(crate) const QUICK: Self = Self {
        rounds: 11,
        slice: Duration::from_millis(10),
    };
}

/// What is compared: the first subject is what the others are measured against.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) about: String,
}

/// One subject's samples of one case, one for each round.
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) subject: &'static str,
    /// `"ns"` for an operation, or what was counted.
    pub(crate) unit: &'static str,
    pub(crate) samples: Vec<f64>,
}

impl Row {
    pub(crate) fn median(&self) -> f64 {
        median(self.samples.clone())
    }

    pub(crate) fn min(&self) -> f64 {
        self.samples.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.samples.iter().copied().fold(0.0, f64::max)
    }

    pub(crate) fn ratio_to(&self, baseline: &Self) -> f64 {
        let pairs = self.samples.iter().zip(&baseline.samples);
        median(pairs.map(|(own, other)| own / other).collect())
    }
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

/// A loop: so many operations, and how long they took together.
type Loop<'a> = Box<dyn FnMut(u32) -> Duration + 'a>;

pub(crate) struct Subject<'a> {
    name: &'static str,
    work: Loop<'a>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(name: &'static str, work: impl FnMut(u32) -> Duration + 'a) -> Self {
        Self {
            name,
            work: Box::new(work),
        }
    }

    /// Nanoseconds for one operation.
    fn time(&mut self, count: u32) -> f64 {
        (self.work)(count).as_nanos() as f64 / f64::from(count)
    }
}

/// The whole run.
pub(crate) struct Bench {
    pub(crate) effort: Effort,
    pub(crate) cases: Vec<String>,
    pub(crate) subjects: Vec<String>,
    pub(crate) iterations: Option<u32>,
    pub(crate) rows: Vec<Row>,
}

impl Bench {
    pub(crate) fn new(effort: Effort) -> Self {
        Self {
            effort,
            cases: Vec::new(),
            subjects: Vec::new(),
            iterations: None,
            rows: Vec::new(),
        }
    }

    /// Whether a case, or any of those that begin so, is to be run: setting one up takes time.
    pub(crate) fn wants(&self, case: &str) -> bool {
        let fits = |chosen: &String| case.starts_with(chosen.as_str()) || chosen.starts_with(case);
        self.cases.is_empty() || self.cases.iter().any(fits)
    }

    pub(crate) fn compare(&mut self, case: &Case, mut subjects: Vec<Subject<'_>>) {
        if !self.wants(&case.name) {
            return;
        }
        let fits = |name: &str| self.subjects.iter().any(|chosen| name.starts_with(chosen));
        subjects.retain(|subject| self.subjects.is_empty() || fits(subject.name));
        if let Some(count) = self.iterations {
            for subject in &mut subjects {
                (subject.work)(count);
            }
            return;
        }
        let Some(count) = self.count(&mut subjects) else {
            return;
        };
        let mut samples: Vec<Vec<f64>> = subjects.iter().map(|_| Vec::new()).collect();
        for round in 0..self.effort.rounds {
            for turn in 0..subjects.len() {
                let which = (round + turn) % subjects.len();
                samples[which].push(subjects[which].time(count));
            }
        }
        let rows = subjects.iter().zip(samples).map(|(subject, samples)| Row {
            case: case.name.clone(),
            subject: subject.name,
            unit: "ns",
            samples,
        });
        let rows: Vec<Row> = rows.collect();
        report::print_case(case, &rows);
        self.rows.extend(rows);
    }

    /// Warms all up. The number of operations that fill a slice of the first.
    fn count(&self, subjects: &mut [Subject<'_>]) -> Option<u32> {
        let mut count = 16;
        for subject in &mut *subjects {
            subject.time(count);
        }
        let first = subjects.first_mut()?;
        let slice = self.effort.slice.as_nanos() as f64;
        while first.time(count) * f64::from(count) < slice / 2.0 {
            count *= 2;
        }
        Some(count)
    }

    /// Notes what was counted and not timed.
    pub(crate) fn note(&mut self, case: &str, subject: &'static str, unit: &'static str, n: u64) {
        self.rows.push(Row {
            case: case.to_owned(),
            subject,
            unit,
            samples: vec![n as f64],
        });
    }
}

/// A runtime, and how a task runs on it.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    runtime: Runtime,
    is_current: bool,
}

impl Place {
    /// One thread, which is the caller's.
    pub(crate) fn current() -> Self {
        Self::of("current", &mut Builder::new_current_thread(), true)
    }

    /// Two threads, neither of them the caller's.
    pub(crate) fn multi() -> Self {
        let mut builder = Builder::new_multi_thread();
        Self::of("multi", builder.worker_threads(2), false)
    }

    fn of(name: &'static str, builder: &mut Builder, is_current: bool) -> Self {
        let runtime = builder.enable_all().build().expect("a runtime");
        Self {
            name,
            runtime,
            is_current,
        }
    }

    /// What is built meanwhile lives here.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Runs a task to its end.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> T {
        if self.is_current {
            return self.runtime.block_on(task);
        }
        let task = self.runtime.spawn(task);
        self.runtime
            .block_on(task)
            .expect("the task does not panic")
    }

    /// How long a task takes that does one thing so often.
    pub(crate) fn time<F: Future<Output = ()> + Send>(
        &self,
        count: u32,
        once: impl Fn() -> F + Send + Sync + 'static,
    ) -> Duration {
        self.run(async move {
            let start = Instant::now();
            for _ in 0..count {
                once().await;
            }
            start.elapsed()
        })
    }

    /// As [`time`](Self::time), by so many tasks that share the count; each is told its number.
    pub(crate) fn time_many<F: Future<Output = ()> + Send + 'static>(
        &self,
        tasks: u32,
        count: u32,
        once: impl Fn(usize) -> F + Clone + Send + Sync + 'static,
    ) -> Duration {
        self.run(async move {
            let start = Instant::now();
            let each = count.div_ceil(tasks);
            let running = (0..tasks as usize).map(|task| {
                let once = once.clone();
                tokio::spawn(async move {
                    for _ in 0..each {
                        once(task).await;
                    }
                })
            });
            for task in running.collect::<Vec<_>>() {
                task.await.expect("a task does not panic");
            }
            start.elapsed()
        })
    }
}
