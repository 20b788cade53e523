//! One connection at work: commands go out as they come, answers are matched to them in their order.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until};

use super::link::{Failure, Job, Target};
use super::silence::Silence;
use super::stream::Stream;
use super::wire::{Answer, Parsed, parse};

/// Exchanges that are sent and not answered.
const IN_FLIGHT: usize = 128;
/// No more is taken while this much is still to be written.
const OUT: usize = 256 * 1024;
/// Room for answers; grows for a large value and shrinks when none has come for a while.
const IN: usize = 16 * 1024;
const LARGE: usize = 16 * IN;
const WHILE: u32 = 64;

/// How a connection ended.
pub(super) enum End {
    /// Nobody can ask any more.
    Unused,
    Broken {
        why: Failure,
        /// Whether it answered anything.
        fruitful: bool,
    },
}

/// One connection at work. It owns what was asked, so that whoever stops waiting leaves no answer half read.
pub(super) struct Session<'a> {
    stream: Stream,
    target: &'a Target,
    silence: &'a Silence,
    jobs: &'a mut mpsc::Receiver<Job>,
    open: bool,
    output: Vec<u8>,
    written: usize,
    flushed: bool,
    input: Vec<u8>,
    start: usize,
    filled: usize,
    /// Where the answer ends that has begun, if that is known.
    due: usize,
    /// How often the room was emptied since it held something large.
    calm: u32,
    waiting: VecDeque<Waiting>,
    fruitful: bool,
    /// When something last came or went.
    moved: Instant,
    alarm: Pin<Box<Sleep>>,
}

struct Waiting {
    answers: Vec<Answer>,
    due: usize,
    number: u64,
    wait: Option<oneshot::Sender<Result<Vec<Answer>, Failure>>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        stream: Stream,
        target: &'a Target,
        silence: &'a Silence,
        jobs: &'a mut mpsc::Receiver<Job>,
        first: Job,
    ) -> Self {
        let now = Instant::now();
        let mut session = Self {
            stream,
            target,
            silence,
            jobs,
            open: true,
            output: Vec::new(),
            written: 0,
            flushed: true,
            input: vec![0; IN],
            start: 0,
            filled: 0,
            due: 0,
            calm: 0,
            waiting: VecDeque::new(),
            fruitful: false,
            moved: now,
            alarm: Box::pin(sleep_until(now + target.answer_timeout)),
        };
        session.take(first);
        session
    }

    /// Goes on until the connection ends.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        match self.advance(context) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(End::Unused),
            Err(why) => {
                for waiting in self.waiting.drain(..) {
                    if let Some(wait) = waiting.wait {
                        let _ = wait.send(Err(why.clone()));
                    }
                }
                Poll::Ready(End::Broken {
                    why,
                    fruitful: self.fruitful,
                })
            }
        }
    }

    fn advance(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, Failure> {
        loop {
            // First what came: an end of the connection is seen before anything more is given to it.
            let read = self.read(context)?;
            self.collect(context);
            self.write(context)?;
            if !self.open && self.waiting.is_empty() {
                return Ok(Poll::Ready(()));
            }
            // After an answer there may be room to take more.
            if read.is_pending() {
                self.watch(context)?;
                return Ok(Poll::Pending);
            }
        }
    }

    fn take(&mut self, job: Job) {
        if self.waiting.is_empty() {
            self.moved = Instant::now();
        }
        if self.output.is_empty() {
            self.output = job.exchange.bytes;
        } else {
            self.output.extend_from_slice(&job.exchange.bytes);
        }
        self.waiting.push_back(Waiting {
            answers: Vec::with_capacity(job.exchange.answers),
            due: job.exchange.answers,
            number: job.exchange.number,
            wait: job.wait,
        });
    }

    fn collect(&mut self, context: &mut Context<'_>) {
        while self.open && self.waiting.len() < IN_FLIGHT && self.output.len() - self.written < OUT
        {
            match self.jobs.poll_recv(context) {
                Poll::Ready(Some(job)) => {
                    let unwanted = job.wait.as_ref().is_some_and(oneshot::Sender::is_closed);
                    if !unwanted {
                        self.take(job);
                    }
                }
                Poll::Ready(None) => self.open = false,
                Poll::Pending => break,
            }
        }
    }

    fn write(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        while self.written < self.output.len() {
            let rest = &self.output[self.written..];
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Err(self.cut(&"it takes nothing any more")),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    self.flushed = false;
                    self.moved = Instant::now();
                }
                Poll::Ready(Err(error)) => return Err(self.cut(&error)),
                Poll::Pending => return Ok(()),
            }
            // More may have come while there was no room for it.
            if self.written == self.output.len() {
                self.output.clear();
                self.output.shrink_to(OUT);
                self.written = 0;
                self.collect(context);
            }
        }
        if !self.flushed {
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Ready(Ok(())) => self.flushed = true,
                Poll::Ready(Err(error)) => return Err(self.cut(&error)),
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    /// Reads once, and gives out what is complete.
    fn read(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, Failure> {
        self.make_room();
        let mut room = ReadBuf::new(&mut self.input[self.filled..]);
        match Pin::new(&mut self.stream).poll_read(context, &mut room) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Err(error)) => return Err(self.cut(&error)),
            Poll::Ready(Ok(())) => {}
        }
        match room.filled().len() {
            0 => return Err(self.cut(&"it closed the connection")),
            count => self.filled += count,
        }
        self.silence.hear();
        self.moved = Instant::now();
        self.due = 0;
        while self.start < self.filled {
            let rest = &self.input[self.start..self.filled];
            let parsed = parse(rest, self.target.longest);
            match parsed.map_err(|why| Failure::Said(self.target.at(&why)))? {
                Parsed::Part(due) => {
                    self.due = self.start + due.unwrap_or(0);
                    break;
                }
                Parsed::Whole(answer, taken) => {
                    self.start += taken;
                    self.give(answer)?;
                }
            }
        }
        Ok(Poll::Ready(()))
    }

    fn make_room(&mut self) {
        if self.start == self.filled {
            self.calm = if self.filled > LARGE {
                0
            } else {
                self.calm.saturating_add(1)
            };
            self.start = 0;
            self.filled = 0;
            self.due = 0;
            if self.input.len() > LARGE && self.calm > WHILE {
                self.input = vec![0; IN];
            }
        }
        if self.filled < self.input.len() && self.due <= self.input.len() {
            return;
        }
        self.input.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.due = self.due.saturating_sub(self.start);
        self.start = 0;
        // What is no answer ends the connection, so the longest answer bounds this.
        let full = self.filled == self.input.len();
        let wanted = self.due.max(if full { self.input.len() * 2 } else { 0 });
        if wanted > self.input.len() {
            self.input.resize(wanted, 0);
        }
    }

    fn give(&mut self, answer: Answer) -> Result<(), Failure> {
        let Some(first) = self.waiting.front_mut() else {
            return Err(self.said(&"it answered what nobody asked"));
        };
        let foreign = answer.number.is_some_and(|number| number != first.number);
        first.answers.push(answer);
        if foreign {
            return Err(self.said(&"its answers are out of step"));
        }
        if first.answers.len() < first.due {
            return Ok(());
        }
        self.fruitful = true;
        if let Some(done) = self.waiting.pop_front()
            && let Some(wait) = done.wait
        {
            // Nobody may wait any more.
            let _ = wait.send(Ok(done.answers));
        }
        Ok(())
    }

    /// Ends the connection when nothing moves though something is due.
    fn watch(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let late = self.moved + self.target.answer_timeout;
        // The alarm is set anew only when it rings: most answers come long before.
        while self.alarm.as_mut().poll(context).is_ready() {
            if Instant::now() >= late {
                return Err(self.cut(&"no answer in time"));
            }
            self.alarm.as_mut().reset(late);
        }
        Ok(())
    }

    fn cut(&self, what: &dyn std::fmt::Display) -> Failure {
        Failure::Cut(self.target.at(what))
    }

    fn said(&self, what: &dyn std::fmt::Display) -> Failure {
        Failure::Said(self.target.at(what))
    }
}
