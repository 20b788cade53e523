//! Rules of a cache: what it forgets when something happens.

use std::any::{Any, TypeId};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Cache, Inner};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::key::KeyPart;
use crate::rules::{Forget, Happened, Happening, Rule, resolve};
use crate::selector::Selector;

type Say = dyn Fn(&dyn Any) -> Vec<Forget> + Send + Sync;

#[derive(Clone)]
enum Known {
    Text(Rule),
    Code { of: TypeId, say: Arc<Say> },
}

/// Replaced as a whole, so that rules run outside of the lock.
#[derive(Default)]
pub(crate) struct Book(RwLock<Arc<Vec<Known>>>);

/// The rules of a cache; see [`rules`](crate::rules).
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a>(&'a Inner);

impl Cache {
    /// What this cache forgets when something happens. A view has the rules of its cache; what happened to a view is forgotten under it.
    #[must_use]
    pub fn rules(&self) -> Rules<'_> {
        Rules(&self.inner)
    }

    /// Something has happened: forgets what the rules say of it, one after the other, in the order in which they were added.
    ///
    /// What the rules mean is decided now, what they mean is forgotten when this is awaited.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`](crate::ErrorKind) for a rule that names a field which the event does not have; what a store says; [`ErrorKind::Closed`](crate::ErrorKind). The first error is given once all other rules are applied: what is stale has to go.
    ///
    /// # Cancellation
    /// Dropping the future leaves the remaining rules unapplied.
    pub fn happened<E: Happening>(
        &self,
        event: &E,
    ) -> impl Future<Output = Result<Happened>> + Send + use<'_, E> {
        let fields = event.fields();
        let mut selectors = Vec::new();
        for known in self.known().iter() {
            match known {
                Known::Text(rule) if rule.event() == E::NAME => {
                    selectors.push(vec![rule.resolve(&fields)]);
                }
                Known::Code { of, say } if *of == TypeId::of::<E>() => {
                    let forgets = say(event);
                    selectors.push(forgets.iter().map(|f| resolve(E::NAME, f)).collect());
                }
                _ => {}
            }
        }
        self.apply(E::NAME.to_owned(), selectors)
    }

    /// [`happened`](Self::happened) for an event that has a name and no type: from a queue, from another language.
    ///
    /// ```
    /// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # rt.block_on(async {
    /// let cache = larder::Cache::builder().build()?;
    /// cache.rules().add("user.renamed -> user:{id}".parse()?);
    /// let happened = cache.happened_named("user.renamed", [("id", "7")]).await?;
    /// assert_eq!(happened.rules, 1);
    /// let error = cache.happened_named("user.renamed", [("di", "7")]).await.unwrap_err();
    /// assert!(error.to_string().contains("did you mean `di`?"));
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`happened`](Self::happened).
    pub fn happened_named<'v, N, V>(
        &self,
        name: &str,
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> impl Future<Output = Result<Happened>> + Send
    where
        N: AsRef<str>,
        V: KeyPart + 'v,
    {
        let fields: Vec<(N, V)> = fields.into_iter().collect();
        let fields: Vec<(&str, &dyn KeyPart)> = fields
            .iter()
            .map(|(name, value)| (name.as_ref(), value as &dyn KeyPart))
            .collect();
        let mut selectors = Vec::new();
        for known in self.known().iter() {
            if let Known::Text(rule) = known
                && rule.event() == name
            {
                selectors.push(vec![rule.resolve(&fields)]);
            }
        }
        drop(fields);
        self.apply(name.to_owned(), selectors)
    }

    /// The rules of this moment: what they call runs outside of the lock.
    fn known(&self) -> Arc<Vec<Known>> {
        Arc::clone(&self.inner.book.0.read())
    }

    /// Forgets what each rule has said.
    async fn apply(&self, name: String, said: Vec<Vec<Result<Selector>>>) -> Result<Happened> {
        self.inner.open("happened")?;
        let mut happened = Happened {
            rules: said.len(),
            forgotten: 0,
        };
        let mut fault: Option<Error> = None;
        for selector in said.into_iter().flatten() {
            let forgotten = match selector {
                Ok(selector) => self.inner.forget(&self.meant(selector)).await,
                Err(error) => Err(error),
            };
            match forgotten {
                Ok(count) => happened.forgotten += count,
                Err(error) => fault = fault.or(Some(error.during("happened"))),
            }
        }
        let Happened { rules, forgotten } = happened;
        self.inner.tell(|| Event::Happened {
            name: &name,
            rules,
            forgotten,
        });
        fault.map_or(Ok(happened), Err)
    }
}

impl Rules<'_> {
    /// Adds a rule, for as long as the cache lives. Several may speak of one event.
    pub fn add(&self, rule: Rule) {
        self.push(Known::Text(rule));
    }

    /// Adds a rule in code: what is forgotten when an event of this type happens, from its own fields.
    ///
    /// The closure is called by [`happened`](Cache::happened), outside of locks. What it gives may be empty: not every event of a type makes something stale.
    ///
    /// ```
    /// use larder::rules::{Forget, Happening};
    ///
    /// struct Moved { from: u64, to: u64 }
    ///
    /// impl Happening for Moved {
    ///     const NAME: &'static str = "moved";
    /// }
    ///
    /// let cache = larder::Cache::builder().build()?;
    /// cache.rules().on(|moved: &Moved| {
    ///     [moved.from, moved.to].map(|shelf| Forget::tag("shelf:{id}").with("id", shelf))
    /// });
    /// let happened = cache.blocking().happened(&Moved { from: 1, to: 2 })?;
    /// assert_eq!(happened.rules, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn on<E, I>(&self, say: impl Fn(&E) -> I + Send + Sync + 'static)
    where
        E: Happening,
        I: IntoIterator<Item = Forget>,
    {
        let say = move |event: &dyn Any| match event.downcast_ref::<E>() {
            Some(event) => say(event).into_iter().collect(),
            None => Vec::new(),
        };
        self.push(Known::Code {
            of: TypeId::of::<E>(),
            say: Arc::new(say),
        });
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.book.0.read().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&self, known: Known) {
        let mut all = self.0.book.0.write();
        Arc::make_mut(&mut all).push(known);
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rules", self.0.read().len())
    }
}
