//! The way to one server: on each side of the reactor one connection that is made when it is needed, lost, and made again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::session::{End, Session};
use super::silence::Silence;
use super::stream::Stream;
use super::wire::{Answer, Exchange};
use crate::error::{Error, ErrorKind};
use crate::runtime::{Reactor, Side};
use crate::store::Secret;

/// Exchanges that wait to be sent; whoever comes then waits for room.
const QUEUE: usize = 128;
/// The rest after a first failure to connect, and the longest.
const REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Why an exchange did not come to its end.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The server cannot be reached, or the connection was cut.
    Cut(String),
    /// The server says no, or what it says cannot be right.
    Said(String),
    TooLarge {
        size: usize,
        limit: usize,
    },
    Closed,
}

impl Failure {
    pub(super) fn error(self, operation: &'static str) -> Error {
        match self {
            Self::Cut(why) => Error::unavailable(operation, super::NAME, why),
            Self::Said(why) => Error::store(operation, super::NAME, why),
            Self::TooLarge { size, limit } => Error::new(
                ErrorKind::Encode,
                operation,
                format!(
                    "{size} bytes are too large for {}, which takes {limit} at most: start it with a larger `-I` and say so with `item_limit`, compress, or keep these entries elsewhere",
                    super::NAME
                ),
            ),
            Self::Closed => Error::new(
                ErrorKind::Closed,
                operation,
                format!("{} is closed", super::NAME),
            ),
        }
    }
}

/// Where a server is and how to talk to it.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<TlsConnector>,
    pub(super) login: Option<(String, Secret)>,
    /// For connecting, TLS, the password and the first answer together.
    pub(super) connect_timeout: Duration,
    /// How long nothing may come while something is due.
    pub(super) answer_timeout: Duration,
    /// The largest value that may come.
    pub(super) longest: usize,
}

impl Target {
    /// What to say of this server.
    pub(super) fn at(&self, what: &dyn fmt::Display) -> String {
        format!("{}:{}: {what}", self.host, self.port)
    }
}

/// An exchange, and who waits for its answers.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) exchange: Exchange,
    pub(super) wait: Option<oneshot::Sender<Result<Vec<Answer>, Failure>>>,
}

impl Job {
    /// A question that asks for nothing but an answer.
    fn hello() -> Self {
        Self {
            exchange: Exchange::hello(),
            wait: None,
        }
    }

    fn fail(self, why: &Failure) {
        if let Some(wait) = self.wait {
            // Nobody may wait any more.
            let _ = wait.send(Err(why.clone()));
        }
    }
}

/// The way to one server.
pub(super) struct Link {
    target: Arc<Target>,
    reactor: Reactor,
    /// To the tasks that drive the connections: at home, and on Larder's own runtime.
    tasks: [Mutex<Option<mpsc::Sender<Job>>>; 2],
    silences: [Arc<Silence>; 2],
}

impl Link {
    pub(super) fn new(target: Target, reactor: Reactor) -> Self {
        Self {
            target: Arc::new(target),
            reactor,
            tasks: [Mutex::new(None), Mutex::new(None)],
            silences: Default::default(),
        }
    }

    /// Sends commands and waits for their answers. Dropped, the answers are still taken from the connection.
    ///
    /// Once somebody has waited in vain, nobody else waits until the server says anything: of several servers, one that is stopped costs one wait.
    pub(super) async fn call(&self, exchange: Exchange) -> Result<Vec<Answer>, Failure> {
        let side = self.reactor.side();
        let silence = &self.silences[place(side)];
        if silence.is_on() {
            return Err(Failure::Cut(self.target.at(&"it does not answer")));
        }
        let patience = silence.listen(|| self.task(side).try_send(Job::hello()).is_ok());
        let (sender, answers) = oneshot::channel();
        self.send(Job {
            exchange,
            wait: Some(sender),
        })
        .await?;
        let cut = || Failure::Cut(self.target.at(&"its runtime is gone"));
        let answered = answers.await;
        patience.end();
        answered.unwrap_or_else(|_| Err(cut()))
    }

    /// Sends commands whose answers nobody needs, if there is room.
    pub(super) fn tell(&self, exchange: Exchange) {
        let job = Job {
            exchange,
            wait: None,
        };
        // Without room or a task there is worse to do than this.
        let _ = self.task(self.reactor.side()).try_send(job);
    }

    async fn send(&self, mut job: Job) -> Result<(), Failure> {
        // A task ends only with its runtime, so the second one is new.
        for _ in 0..2 {
            let side = self.reactor.side();
            let task = self.task(side);
            match task.send(job).await {
                Ok(()) => return Ok(()),
                Err(mpsc::error::SendError(back)) => job = back,
            }
            let mut kept = self.tasks[place(side)].lock();
            if kept.as_ref().is_some_and(|kept| kept.same_channel(&task)) {
                *kept = None;
            }
        }
        Err(Failure::Cut(self.target.at(&"its runtime is gone")))
    }

    fn task(&self, side: Side) -> mpsc::Sender<Job> {
        let mut kept = self.tasks[place(side)].lock();
        let start = || {
            let (sender, jobs) = mpsc::channel(QUEUE);
            let target = Arc::clone(&self.target);
            let silence = Arc::clone(&self.silences[place(side)]);
            self.reactor
                .handle(side)
                .spawn(drive(target, silence, jobs));
            sender
        };
        kept.get_or_insert_with(start).clone()
    }

    /// Ends the tasks once what was sent is answered.
    pub(super) fn close(&self) {
        for task in &self.tasks {
            task.lock().take();
        }
    }
}

fn place(side: Side) -> usize {
    match side {
        Side::Home => 0,
        Side::Own => 1,
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self
                .target
                .at(&self.target.tls.as_ref().map_or("plain", |_| "tls")),
        )
    }
}

/// Drives the connections to one server, one after the other, until nobody can ask any more.
async fn drive(target: Arc<Target>, silence: Arc<Silence>, mut jobs: mpsc::Receiver<Job>) {
    let mut failures = 0_u32;
    let mut rest: Option<(Instant, Failure)> = None;
    loop {
        let job = if silence.is_on() {
            // Nobody is let in to find out whether it is back.
            sleep(pause(failures.max(1))).await;
            if jobs.is_closed() && jobs.is_empty() {
                return;
            }
            Job::hello()
        } else {
            let Some(job) = jobs.recv().await else {
                return;
            };
            match &rest {
                // While it rests, nobody waits for it.
                Some((until, why)) if Instant::now() < *until => {
                    job.fail(why);
                    continue;
                }
                _ => rest = None,
            }
            job
        };
        let why = match open(&target, &silence).await {
            Ok(stream) => {
                let mut session = Session::new(stream, &target, &silence, &mut jobs, job);
                match std::future::poll_fn(|context| session.poll(context)).await {
                    End::Unused => return,
                    End::Broken { why, fruitful } => {
                        if fruitful {
                            failures = 0;
                            continue;
                        }
                        why
                    }
                }
            }
            Err(why) => {
                job.fail(&why);
                // They came while it was tried.
                while let Ok(job) = jobs.try_recv() {
                    job.fail(&why);
                }
                why
            }
        };
        failures = failures.saturating_add(1);
        rest = Some((Instant::now() + pause(failures), why));
    }
}

/// Connects. Who says nothing for so long begins the silence; who says no ends it, as that costs nobody any time.
async fn open(target: &Target, silence: &Silence) -> Result<Stream, Failure> {
    match timeout(target.connect_timeout, Stream::open(target)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(why)) => {
            silence.end();
            Err(why)
        }
        Err(_) => {
            silence.begin();
            Err(Failure::Cut(target.at(&"no connection in time")))
        }
    }
}

/// How long to rest after so many failures.
fn pause(failures: u32) -> Duration {
    let pause = REST.saturating_mul(1 << (failures - 1).min(10));
    pause.min(LONGEST_REST)
}
