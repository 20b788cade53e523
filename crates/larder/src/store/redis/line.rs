//! One connection that many share, made when it is needed and made anew when it is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster_async::ClusterConnection;
use ::redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use ::redis::{Arg, Cmd, RedisError, ServerErrorKind, Value};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch as told;

use super::connect::Plan;
use super::fault::{closed, error_of};
use super::{names, script, watch};
use crate::error::Result;

/// How long to wait before the next attempt to connect, at least and at most. Short: whoever asks in vain is told at once, and a breaker above asks seldom.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// A place for one connection, on one runtime.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) plan: Arc<Plan>,
    handle: Handle,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Current,
    failures: u32,
    number: u64,
}

#[derive(Debug)]
enum Current {
    Down(Option<Failure>),
    Connecting(told::Receiver<Outcome>),
    Up(Arc<Up>),
    Closed,
}

/// What became of an attempt; `None` before its end.
type Outcome = Option<Result<Arc<Up>, Failure>>;

#[derive(Clone, Debug)]
struct Failure {
    why: RedisError,
    until: Instant,
}

/// A connection that was made.
#[derive(Debug)]
pub(super) struct Up {
    connection: Connection,
    /// Which server it is, if it was chosen among several.
    pub(super) server: Option<(String, u16)>,
    number: u64,
    signs: Arc<Signs>,
}

impl Up {
    pub(super) fn is_lost(&self) -> bool {
        self.signs.lost.load(Ordering::Acquire)
    }
}

/// What is known of a connection's health.
#[derive(Debug, Default)]
pub(super) struct Signs {
    lost: AtomicBool,
    answers: AtomicU64,
    probed: AtomicBool,
}

impl Signs {
    /// It is gone.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }
}

/// To one server, or to all of a cluster.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    All(ClusterConnection),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::One(_) => "One",
            Self::All(_) => "All",
        })
    }
}

/// Which server of several a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// The master of the slot of the command's first key; any for a command without keys.
    Key,
    /// The master of this slot.
    Slot(u16),
}

impl Connection {
    async fn send(&mut self, cmd: &Cmd, to: To) -> Result<Value, RedisError> {
        let answer = match (self, to) {
            (Self::One(one), _) => one.send_packed_command(cmd).await,
            // Apart: this future is part of every operation's, and as large as its largest branch.
            (Self::All(all), To::Key) => Box::pin(all.req_packed_command(cmd)).await,
            (Self::All(all), To::Slot(slot)) => {
                Box::pin(all.route_command(cmd.clone(), master_of(slot))).await
            }
        };
        match answer? {
            Value::ServerError(error) => Err(error.into()),
            value => Ok(value),
        }
    }
}

/// Why the home runtime cannot be used: it is shutting down, or it drives no sockets.
#[derive(Debug)]
pub(super) struct Gone;

impl Line {
    pub(super) fn new(plan: Arc<Plan>, handle: Handle) -> Arc<Self> {
        Arc::new(Self {
            plan,
            handle,
            state: Mutex::new(State {
                current: Current::Down(None),
                failures: 0,
                number: 0,
            }),
        })
    }

    /// Sends a command and gives its answer; a script that the server does not know is sent whole.
    pub(super) async fn ask(
        self: &Arc<Self>,
        operation: &'static str,
        cmd: &Cmd,
        to: To,
    ) -> Result<Result<Value>, Gone> {
        let up = match self.standing() {
            Some(up) => up,
            None => match Box::pin(self.up(operation)).await? {
                Ok(up) => up,
                Err(error) => return Ok(Err(error)),
            },
        };
        let mut answer = self.exchange(&up, cmd, to).await;
        if let Err(error) = &answer
            && has_kind(error, ServerErrorKind::NoScript)
            && let Some(whole) = script::whole(cmd)
        {
            answer = Box::pin(self.exchange(&up, &whole, to)).await;
        }
        Ok(answer.map_err(|error| error_of(operation, error)))
    }

    async fn exchange(
        self: &Arc<Self>,
        up: &Arc<Up>,
        cmd: &Cmd,
        to: To,
    ) -> Result<Value, RedisError> {
        let mut connection = up.connection.clone();
        let mut waiting = Waiting {
            line: self,
            up,
            cmd,
            to,
            answers: up.signs.answers.load(Ordering::Relaxed),
            over: false,
        };
        let answer = connection.send(cmd, to).await;
        waiting.over = true;
        up.signs.answers.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = &answer
            && replaces(error)
        {
            self.drop_line(up);
        }
        answer
    }

    /// The connection, if there is one.
    fn standing(&self) -> Option<Arc<Up>> {
        match &self.state.lock().current {
            Current::Up(up) if !up.signs.lost.load(Ordering::Acquire) => Some(Arc::clone(up)),
            _ => None,
        }
    }

    /// The connection, made if there is none.
    pub(super) async fn up(
        self: &Arc<Self>,
        operation: &'static str,
    ) -> Result<Result<Arc<Up>>, Gone> {
        let mut attempt = {
            let mut state = self.state.lock();
            match &state.current {
                Current::Up(up) if !up.is_lost() => {
                    return Ok(Ok(Arc::clone(up)));
                }
                Current::Closed => return Ok(Err(closed(operation))),
                Current::Connecting(attempt) => attempt.clone(),
                Current::Down(Some(failure)) if Instant::now() < failure.until => {
                    return Ok(Err(error_of(operation, failure.why.clone())));
                }
                Current::Down(_) | Current::Up(_) => self.connect(&mut state),
            }
        };
        let outcome = attempt.wait_for(Option::is_some).await;
        match outcome.map(|outcome| outcome.clone()) {
            Ok(Some(Ok(up))) => Ok(Ok(up)),
            Ok(Some(Err(failure))) => Ok(Err(error_of(operation, failure.why))),
            Ok(None) | Err(_) => {
                let mut state = self.state.lock();
                if matches!(&state.current, Current::Connecting(a) if a.same_channel(&attempt)) {
                    state.current = Current::Down(None);
                }
                Err(Gone)
            }
        }
    }

    fn connect(self: &Arc<Self>, state: &mut State) -> told::Receiver<Outcome> {
        let (tell, attempt) = told::channel(None);
        state.number += 1;
        let number = state.number;
        state.current = Current::Connecting(attempt.clone());
        let line = Arc::clone(self);
        let task = async move {
            let signs = Arc::new(Signs::default());
            let made = line.plan.connect(&signs).await;
            let outcome = line.settle(number, made, signs);
            // Nobody may be waiting any more.
            let _ = tell.send(Some(outcome));
        };
        drop(self.handle.spawn(task));
        attempt
    }

    fn settle(
        self: &Arc<Self>,
        number: u64,
        made: Result<(Connection, Option<(String, u16)>), RedisError>,
        signs: Arc<Signs>,
    ) -> Result<Arc<Up>, Failure> {
        let mut state = self.state.lock();
        let still = state.number == number && matches!(state.current, Current::Connecting(_));
        match made {
            Ok((connection, server)) => {
                let up = Arc::new(Up {
                    connection,
                    server,
                    number,
                    signs,
                });
                if still {
                    state.failures = 0;
                    state.current = Current::Up(Arc::clone(&up));
                    watch::begin(self, &up);
                }
                Ok(up)
            }
            Err(why) => {
                let pause = PAUSE.0 * 2_u32.pow(state.failures.min(6));
                let failure = Failure {
                    why,
                    until: Instant::now() + pause.min(PAUSE.1),
                };
                if still {
                    state.failures += 1;
                    state.current = Current::Down(Some(failure.clone()));
                }
                Err(failure)
            }
        }
    }

    /// Lets go of a connection, unless it was replaced already.
    pub(super) fn drop_line(&self, up: &Up) {
        up.signs.lose();
        let mut state = self.state.lock();
        if matches!(&state.current, Current::Up(current) if current.number == up.number) {
            state.current = Current::Down(None);
            drop(state);
            if let Some(tracking) = &self.plan.tracking {
                tracking.lost();
            }
        }
    }

    /// Whether a connection answers in time.
    pub(super) async fn answers(&self, up: &Up) -> bool {
        let mut connection = up.connection.clone();
        let ping = ::redis::cmd("PING");
        let answer = self.plan.limit(connection.send(&ping, To::Key)).await;
        matches!(answer, Some(Ok(_)))
    }

    /// Lets go of the connection for good.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        let before = std::mem::replace(&mut state.current, Current::Closed);
        drop(state);
        if let Current::Up(up) = before {
            up.signs.lose();
        }
    }

    /// Somebody gave up waiting: asks the same server once more, and lets go of a connection that stays silent.
    ///
    /// One that answers late is kept: a server that was stopped for a moment goes on where it was.
    fn probe(self: &Arc<Self>, up: &Arc<Up>, routing: Option<RoutingInfo>) {
        if up.signs.probed.swap(true, Ordering::AcqRel) {
            return;
        }
        let (line, up) = (Arc::clone(self), Arc::clone(up));
        drop(self.handle.spawn(async move {
            let answers = match (&up.connection, routing) {
                (Connection::All(all), Some(routing)) => {
                    let (mut all, ping) = (all.clone(), ::redis::cmd("PING"));
                    let answer = line.plan.limit(all.route_command(ping, routing)).await;
                    matches!(answer, Some(Ok(_)))
                }
                _ => line.answers(&up).await,
            };
            if answers {
                up.signs.probed.store(false, Ordering::Release);
            } else {
                line.drop_line(&up);
            }
        }));
    }
}

/// An operation that waits for its answer.
struct Waiting<'a> {
    line: &'a Arc<Line>,
    up: &'a Arc<Up>,
    cmd: &'a Cmd,
    to: To,
    answers: u64,
    over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        match self.up.connection {
            // Something was answered meanwhile: the server is slow, not silent.
            Connection::One(_) if self.up.signs.answers.load(Ordering::Relaxed) != self.answers => {
            }
            Connection::One(_) => self.line.probe(self.up, None),
            // What others of the cluster answered says nothing of this one.
            Connection::All(_) => {
                let slot = slot_of(self.cmd, self.to);
                self.line.probe(self.up, slot.map(master_of));
            }
        }
    }
}

fn master_of(slot: u16) -> RoutingInfo {
    let route = Route::new(slot, SlotAddr::Master);
    RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route))
}

/// The slot that a command was sent to; `None` for one that any server may answer.
fn slot_of(cmd: &Cmd, to: To) -> Option<u16> {
    if let To::Slot(slot) = to {
        return Some(slot);
    }
    let mut arguments = cmd.args_iter();
    let key = match arguments.next()? {
        // The hash, the number of keys, the first key.
        Arg::Simple(b"EVALSHA") => arguments.nth(2)?,
        _ => arguments.next()?,
    };
    match key {
        Arg::Simple(key) => Some(names::slot(key)),
        _ => None,
    }
}

/// Whether an error says that the next operation needs another connection.
fn replaces(error: &RedisError) -> bool {
    // A master that was made a replica: a sentinel knows the new one.
    error.is_unrecoverable_error()
        || error.is_io_error()
        || has_kind(error, ServerErrorKind::ReadOnly)
}

fn has_kind(error: &RedisError, kind: ServerErrorKind) -> bool {
    error.kind() == ::redis::ErrorKind::Server(kind)
}
