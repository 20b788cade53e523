//! One circuit for all processes that use a store.
//!
//! What a circuit is, two locks say, which anybody may take and give back: while `tripped` is free it is closed; while `open` is held too it is open; with `tripped` alone it
//! is half-open. So its times are those of the store's clock. A call that is tried holds one of the locks `probe:0`, `probe:1`, and so on, which end by themselves if
//! its process is killed. Calls are counted in slices of time, by the clocks of the machines, each a number with its failures above and its calls below.

use std::sync::Arc;
use std::time::Duration;

use super::circuit::{Circuit, CircuitState, SLICES, Terms, Ticket};
use crate::error::{Error, ErrorKind, Result};
use crate::guard::{Asking, Outage, Outcome, Pass, Reason, Refused};
use crate::key::Key;
use crate::lock::{Holder, NotTaken};
use crate::runtime::BoxFuture;
use crate::store::wait::{join, within};
use crate::store::{Counters, Locks, Removal, Store};

/// Whoever turns the circuit: all processes.
const ALL: &str = "all";

/// A failure is so many; a call is one.
const FAILURE: i64 = 1 << 32;

/// No answer of a store is waited for any longer, whatever bounds it has itself.
const LONGEST: Duration = Duration::from_secs(10);

/// A circuit that a store keeps, and what this process has seen of it.
#[derive(Clone)]
pub(super) struct Shared {
    asking: Asking,
    circuit: Arc<Circuit>,
    terms: Terms,
    store: Arc<dyn Store>,
}

/// The place of a call that is tried; given back behind if nobody does it before.
struct Place {
    holder: Option<Holder>,
    /// Between which turns of the circuit it is tried.
    round: i64,
}

impl Place {
    /// Whether it was still this call's.
    async fn give_back(mut self) -> Result<bool> {
        match self.holder.take() {
            Some(holder) => holder.release().await,
            None => Ok(false),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(holder) = self.holder.take() {
            holder.let_go();
        }
    }
}

impl Shared {
    pub(super) fn new(
        asking: &Asking,
        circuit: Arc<Circuit>,
        terms: Terms,
    ) -> Result<Self, Refused> {
        let store = asking.ground().store();
        let able = store.filter(|store| store.locks().is_some() && store.counters().is_some());
        match (able, store) {
            (Some(store), _) => Ok(Self {
                asking: asking.clone(),
                circuit,
                terms,
                store: Arc::clone(store),
            }),
            (None, store) => {
                let name = store.map_or("this cache", |store| store.name());
                let why = "a `shared` circuit needs locks and counters";
                let error = Error::unsupported("circuit_breaker", name, why);
                Err(asking.refuse(Reason::Misconfigured).because(error))
            }
        }
    }

    pub(super) async fn admit(self) -> Result<Pass, Refused> {
        let asked = match self.look().await {
            Ok((CircuitState::Closed, _)) => Ok(Some(None)),
            Ok((CircuitState::Open, left)) => return Err(super::refuse(&self.asking, Some(left))),
            Ok((CircuitState::HalfOpen, _)) => self.probe().await.map(|place| place.map(Some)),
            Err(error) => Err(error),
        };
        match asked {
            Ok(Some(place)) => Ok(self.pass(place)),
            Ok(None) => Err(super::refuse(&self.asking, None)),
            Err(error) => {
                // It goes on under the circuit of this process, which is not open for that reason.
                let _ = self.asking.failed(&error, Outage::Open);
                super::admit(&self.asking, &self.circuit, self.terms)
            }
        }
    }

    fn pass(self, place: Option<Place>) -> Pass {
        let (ticket, asking) = (self.circuit.ticket(), self.asking.clone());
        Pass::told(&asking, move |outcome| {
            Some(Box::pin(async move {
                let settled = match place {
                    None => self.settle(ticket, outcome).await,
                    Some(place) => self.settle_probe(place, outcome).await,
                };
                if let Err(error) = settled {
                    self.settle_here(&error, ticket, outcome);
                }
            }))
        })
    }

    /// What the store says of the circuit, and for how long it is open.
    async fn look(&self) -> Result<(CircuitState, Duration)> {
        let locks = self.locks()?;
        let seen = match self.held(locks, "tripped").await? {
            None => (CircuitState::Closed, Duration::ZERO),
            Some(_) => match self.held(locks, "open").await? {
                Some(left) => (CircuitState::Open, left),
                None => (CircuitState::HalfOpen, Duration::ZERO),
            },
        };
        self.follow(seen.0, seen.1);
        Ok(seen)
    }

    fn follow(&self, state: CircuitState, left: Duration) {
        let now = self.asking.now();
        let change = self.circuit.follow(state, left, now, &self.terms);
        super::tell(&self.asking, change);
    }

    /// A place to try a call in; `None` when all are taken, or the circuit has opened again.
    async fn probe(&self) -> Result<Option<Place>> {
        let locks = self.locks()?;
        let mut found = None;
        for number in 0..self.terms.half_open {
            let name = Key::from(self.name(&format!("probe:{number}")));
            let ground = Arc::clone(self.asking.ground());
            let holder = Holder::new(ground, name, self.terms.open_for());
            match holder.take(None).await {
                Ok(_) => {
                    let holder = Some(holder);
                    found = Some(Place { holder, round: 0 });
                    break;
                }
                Err(NotTaken::Held(_)) => {}
                Err(NotTaken::Failed(error)) => return Err(error),
            }
        }
        let Some(mut place) = found else {
            return Ok(None);
        };
        // As long as calls are tried the circuit does not close by being forgotten.
        let tripped = self.name("tripped");
        let renewed = locks.renew(&tripped, ALL, self.life());
        self.bounded(renewed).await?;
        if let Some(left) = self.held(locks, "open").await? {
            self.follow(CircuitState::Open, left);
            return Ok(None);
        }
        place.round = match self.round(0).await? {
            // What named it is over, or was lost: whoever sees that first names it.
            0 => self.round(self.chance()).await?,
            round => round,
        };
        Ok(Some(place))
    }

    /// Adds to the number that stands for the time between two turns of the circuit; 0 if nobody has added yet.
    async fn round(&self, by: i64) -> Result<i64> {
        let name = self.name("round");
        let counted = self.counters()?.count(&name, by, Some(self.life()));
        self.bounded(counted).await
    }

    /// What a call of a closed circuit came to.
    async fn settle(&self, ticket: Ticket, outcome: Outcome) -> Result<()> {
        let by = match outcome {
            Outcome::Dropped => return Ok(()),
            Outcome::Succeeded { .. } => 1,
            Outcome::Failed { .. } => FAILURE + 1,
        };
        // Here too: for when the store cannot be asked.
        let now = self.asking.now();
        if !self.circuit.count(ticket, outcome, now, &self.terms) {
            return Ok(());
        }
        let counters = self.counters()?;
        let present = self.slice();
        let counted = self.add(counters, present, by).await?;
        if by == 1 {
            return Ok(());
        }
        let earlier = (1..SLICES).map(|back| -> BoxFuture<'_, _> {
            Box::pin(self.add(counters, present.saturating_sub(back), 0))
        });
        let mut sum = counted;
        for counted in join(earlier.collect()).await {
            sum = sum.saturating_add(counted?);
        }
        let (calls, failures) = (sum % FAILURE, sum / FAILURE);
        let is_reached = self
            .terms
            .are_reached(calls.unsigned_abs(), failures.unsigned_abs());
        if is_reached && self.held(self.locks()?, "tripped").await?.is_none() {
            self.trip().await?;
        }
        Ok(())
    }

    async fn settle_probe(&self, place: Place, outcome: Outcome) -> Result<()> {
        let round = place.round;
        let was_held = place.give_back().await?;
        if outcome == Outcome::Dropped {
            return Ok(());
        }
        // A place is lost before the circuit can have been open once more. Then the call says nothing of what it is now.
        if !was_held && self.round(0).await? != round {
            return Ok(());
        }
        let (state, _) = self.look().await?;
        match (state, outcome) {
            (CircuitState::HalfOpen, Outcome::Failed { .. }) => self.trip().await,
            (CircuitState::HalfOpen, _) => self.succeed().await,
            // Another call has turned it meanwhile.
            _ => Ok(()),
        }
    }

    async fn succeed(&self) -> Result<()> {
        let good = self.name("good");
        let counted = self.counters()?.count(&good, 1, Some(self.life()));
        let counted = self.bounded(counted).await?;
        if counted.unsigned_abs() < self.terms.successes {
            return Ok(());
        }
        self.forget().await?;
        // One that failed meanwhile, after this one was looked at, has opened it again.
        if self.held(self.locks()?, "open").await?.is_some() {
            return Ok(());
        }
        let (locks, tripped) = (self.locks()?, self.name("tripped"));
        self.bounded(locks.release(&tripped, ALL)).await?;
        // Or between that look and the release, which then took what it had just set.
        if let Some(left) = self.held(locks, "open").await? {
            let acquired = locks.acquire(&tripped, ALL, self.life());
            self.bounded(acquired).await?;
            self.follow(CircuitState::Open, left);
            return Ok(());
        }
        self.follow(CircuitState::Closed, Duration::ZERO);
        Ok(())
    }

    async fn trip(&self) -> Result<()> {
        let locks = self.locks()?;
        let open_for = self.terms.open_for();
        for (part, life) in [("open", open_for), ("tripped", self.life())] {
            let name = self.name(part);
            let acquired = locks.acquire(&name, ALL, life);
            self.bounded(acquired).await?;
        }
        self.follow(CircuitState::Open, open_for);
        self.forget().await
    }

    /// What was counted does not survive the circuit's turns.
    async fn forget(&self) -> Result<()> {
        let present = self.slice();
        // One more, for a machine whose clock is ahead.
        let slices = (0..=SLICES).map(|back| self.counted((present + 1).saturating_sub(back)));
        let names: Vec<String> = slices.chain([self.name("good")]).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let removal = Removal::Keys(&names);
        self.bounded(self.store.remove(&removal)).await?;
        // The turn itself names what follows, so that all calls that are tried then agree.
        self.round(self.chance()).await.map(drop)
    }

    /// Something to add to a round: never the same again, and so little that the sum over many turns is a number.
    fn chance(&self) -> i64 {
        (self.asking.ground().runtime().random() >> 24) as i64 | 1
    }

    /// The store did not hear of a call: the circuit of this process does.
    fn settle_here(&self, error: &Error, ticket: Ticket, outcome: Outcome) {
        let _ = self.asking.failed(error, Outage::Open);
        let now = self.asking.now();
        let (circuit, terms) = (&self.circuit, &self.terms);
        let change = match outcome {
            Outcome::Failed { .. } => circuit.judge(ticket, now, terms),
            _ => None,
        };
        let change = change.or_else(|| circuit.settle_probe(ticket, outcome, now, terms));
        super::tell(&self.asking, change);
    }

    /// For how long the store knows that the circuit is not closed while nobody calls.
    fn life(&self) -> Duration {
        self.terms.open_for().saturating_add(self.terms.kept())
    }

    async fn held(&self, locks: &dyn Locks, part: &str) -> Result<Option<Duration>> {
        let name = self.name(part);
        self.bounded(locks.held(&name)).await
    }

    async fn add(&self, counters: &dyn Counters, slice: u64, by: i64) -> Result<i64> {
        let (name, per) = (self.counted(slice), Duration::from_nanos(self.terms.per));
        let life = per.saturating_add(per / 10);
        self.bounded(counters.count(&name, by, Some(life))).await
    }

    async fn bounded<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.asking.ground().runtime().sleep(LONGEST);
        let late = || {
            Error::new(
                ErrorKind::Timeout,
                "circuit_breaker",
                "no answer from the store",
            )
        };
        within(limit, answer).await.unwrap_or_else(|| Err(late()))
    }

    fn locks(&self) -> Result<&dyn Locks> {
        self.store.locks().ok_or_else(|| self.lacks())
    }

    fn counters(&self) -> Result<&dyn Counters> {
        self.store.counters().ok_or_else(|| self.lacks())
    }

    fn lacks(&self) -> Error {
        Error::unsupported("circuit_breaker", self.store.name(), "it has lost a power")
    }

    /// The part comes last, and no part ends like another: names of two circuits never meet.
    fn name(&self, part: &str) -> String {
        format!("{}:{part}", self.asking.key())
    }

    fn counted(&self, slice: u64) -> String {
        self.name(&format!("calls:{slice}"))
    }

    /// The number of the present slice, by the machine's clock.
    fn slice(&self) -> u64 {
        let clock = self.asking.ground().runtime().clock();
        let width = self.terms.per / SLICES / 1_000_000;
        clock.unix_millis() / width.max(1)
    }
}
