//! What a source says of its own result, and what it is told of the entry that is there already.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

use crate::entry::{Cacheable, Slot};
use crate::key::Key;
use crate::policy::{Fault, IntoSpan, Span};
use crate::runtime::Timestamp;

#[cfg(feature = "serde")]
mod by_serde;

/// A value that its source says more of: by what it can be checked again, for how long it is good, or that it is not to be stored.
///
/// A cached function returns it like any other value: `Loaded<T>`, `Result<Loaded<T>, E>`, `Option<Loaded<T>>`. What is kept is the value and its validator, in stores too. What is
/// said of storing ([`ttl`](Self::ttl), [`tags`](Self::tags), [`skip_store`](Self::skip_store)) belongs to one load: a clone has only the value and the validator.
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use larder::{Loaded, cached, kept};
///
/// #[cached(key = "page:{id}", ttl = "1m", fail_safe = "1d")]
/// fn page(id: u64) -> Loaded<String> {
///     match kept::<String>() {
///         // Here the origin is asked with `If-None-Match`, and answers 304.
///         Some(kept) if kept.validator() == Some("\"v1\"") => kept.not_modified(),
///         _ => Loaded::new(format!("page {id}")).validator("\"v1\""),
///     }
/// }
///
/// assert_eq!(*page(7), "page 7");
/// page::refresh(7);
/// assert_eq!(page::stats().not_modified, 1);
/// # }
/// ```
pub struct Loaded<T> {
    value: T,
    validator: Option<Arc<str>>,
    orders: Option<Box<Orders>>,
}

/// What a source says of how its result is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    pub(crate) ttl: Option<Result<Span, Fault>>,
    pub(crate) tags: Vec<Key>,
    pub(crate) skip_store: bool,
    pub(crate) not_modified: bool,
}

impl<T: Cacheable> Loaded<T> {
    /// A value that nothing is said of yet.
    pub fn new(value: T) -> Self {
        note_type::<T>();
        Self {
            value,
            validator: None,
            orders: None,
        }
    }

    /// By what the source can tell whether the value is still true: an entity tag or a version, as text. It is kept with the value.
    ///
    /// For HTTP that is the whole field, quotes and `W/` included ([RFC 9110, 8.8.3](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3)).
    #[must_use]
    pub fn validator(mut self, validator: impl Into<Arc<str>>) -> Self {
        self.validator = Some(validator.into());
        self
    }

    /// For how long this result is fresh, in place of the `ttl` of the function. The other knobs stay.
    #[must_use]
    pub fn ttl(mut self, span: impl IntoSpan) -> Self {
        self.orders().ttl = Some(span.into_span());
        self
    }

    /// Tags to forget it by, besides those of the function.
    #[must_use]
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let tags = tags.into_iter().map(|tag| Key::from(tag.as_ref()));
        self.orders().tags.extend(tags);
        self
    }

    /// Returned and not stored. What is kept stays as it is.
    #[must_use]
    pub fn skip_store(mut self) -> Self {
        self.orders().skip_store = true;
        self
    }

    fn orders(&mut self) -> &mut Orders {
        self.orders.get_or_insert_default()
    }
}

impl<T> Loaded<T> {
    /// The value alone.
    pub fn into_value(self) -> T {
        self.value
    }

    /// What [`validator`](Self::validator) was given.
    #[must_use]
    pub fn validated_by(&self) -> Option<&str> {
        self.validator.as_deref()
    }
}

impl<T> Deref for Loaded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Clone> Clone for Loaded<T> {
    /// The value and the validator: what was said of storing belongs to the load that said it.
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            validator: self.validator.clone(),
            orders: None,
        }
    }
}

impl<T: PartialEq> PartialEq for Loaded<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value && self.validator == other.validator
    }
}

impl<T: Eq> Eq for Loaded<T> {}

impl<T: fmt::Debug> fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("value", &self.value)
            .field("validator", &self.validator)
            .finish_non_exhaustive()
    }
}

type Read = fn(&dyn Any) -> Option<&Orders>;

/// How orders are read from values of which only the type's name is known: a value of a type that is not in here was never made as a [`Loaded`].
static TYPES: RwLock<Option<HashMap<TypeId, Read>>> = RwLock::new(None);

fn note_type<T: Cacheable>() {
    let noted = |types: &HashMap<TypeId, Read>| types.contains_key(&TypeId::of::<Loaded<T>>());
    if TYPES.read().as_ref().is_some_and(noted) {
        return;
    }
    let mut types = TYPES.write();
    let types = types.get_or_insert_default();
    types.insert(TypeId::of::<Loaded<T>>(), |value| {
        value.downcast_ref::<Loaded<T>>()?.orders.as_deref()
    });
    types.insert(TypeId::of::<Option<Loaded<T>>>(), |value| {
        let loaded = value.downcast_ref::<Option<Loaded<T>>>()?.as_ref();
        loaded?.orders.as_deref()
    });
    types.insert(TypeId::of::<Arc<Loaded<T>>>(), |value| {
        value.downcast_ref::<Arc<Loaded<T>>>()?.orders.as_deref()
    });
}

/// What the source of a value says of it.
pub(crate) fn orders<V: Any>(value: &V) -> Option<&Orders> {
    let read = *TYPES.read().as_ref()?.get(&TypeId::of::<V>())?;
    read(value)
}

/// The entry that a load is about to replace, as its source sees it. See [`kept`].
#[derive(Clone, Debug)]
pub struct Kept<T> {
    value: T,
    validator: Option<Arc<str>>,
    age: Duration,
    tags: Vec<Key>,
}

/// What the load that is running in this task or thread is about to replace: an entry past its ttl that is still kept, or one that is reloaded while it is fresh.
///
/// For the body of a cached function, or the source of a `get_or_load`; `T` is the value's type, without the [`Loaded`] around it. `None` outside of a load, when nothing is kept, when it
/// was invalidated, when it is no `T`, and while several keys are loaded at once. Inside a load that runs inside another it is that of the inner one.
///
/// An entry is only kept past its ttl when its policy says so: `fail_safe`, `stale`, `soft` or `failover`. With none of them there is nothing to check again. See [`Loaded`] for an example.
#[must_use]
pub fn kept<T: Cacheable>() -> Option<Kept<T>> {
    let offer = OFFERED.with_borrow(Clone::clone)?;
    let slot = &offer.slot;
    let age = offer.at.since(slot.written());
    let plain = |value| (value, None);
    let loaded = |loaded: Loaded<T>| (loaded.value, loaded.validator);
    let (value, validator) = slot
        .value::<Loaded<T>>()
        .map(loaded)
        .or_else(|| slot.value::<Option<Loaded<T>>>()?.map(loaded))
        .or_else(|| {
            slot.value::<Arc<Loaded<T>>>()
                .map(|shared| loaded((*shared).clone()))
        })
        .or_else(|| slot.value::<T>().map(plain))
        .or_else(|| slot.value::<Option<T>>()?.map(plain))?;
    Some(Kept {
        value,
        validator,
        age,
        tags: slot.tags().to_vec(),
    })
}

impl<T: Cacheable> Kept<T> {
    /// The value is still true: the entry is renewed with it. New deadlines, the same validator, the same tags, and the event `NotModified`.
    ///
    /// More can be said of it as of any [`Loaded`]. If the key is invalidated meanwhile, the value is returned and not stored, as ever.
    pub fn not_modified(self) -> Loaded<T> {
        let mut loaded = Loaded::new(self.value);
        loaded.validator = self.validator;
        let orders = loaded.orders();
        orders.not_modified = true;
        // Those that its source gave it then: now there is nothing to read them from.
        orders.tags = self.tags;
        loaded
    }
}

impl<T> Kept<T> {
    /// The value that is kept.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The value that is kept, alone.
    pub fn into_value(self) -> T {
        self.value
    }

    /// By what its source can tell whether it is still true.
    #[must_use]
    pub fn validator(&self) -> Option<&str> {
        self.validator.as_deref()
    }

    /// Time from when it was written to when this load began.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age
    }
}

/// Runs a body past the cache: what is offered to the source around it is not for this one.
pub async fn unoffered<F: Future>(body: F) -> F::Output {
    let mut body = pin!(body);
    std::future::poll_fn(|context| {
        let mut nothing = None;
        let _offering = Offering::new(&mut nothing);
        body.as_mut().poll(context)
    })
    .await
}

/// [`unoffered`] with a sync body.
pub fn unoffered_sync<R>(body: impl FnOnce() -> R) -> R {
    let mut nothing = None;
    let _offering = Offering::new(&mut nothing);
    body()
}

/// What a source may see of what is kept.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) slot: Slot,
    /// When the load began.
    pub(crate) at: Timestamp,
}

thread_local! {
    /// What is offered to the source that is being polled on this thread.
    static OFFERED: RefCell<Option<Offer>> = const { RefCell::new(None) };
}

/// Offered while it lives; then what was offered before is, also after a panic.
pub(crate) struct Offering<'a> {
    own: &'a mut Option<Offer>,
    before: Option<Offer>,
}

impl<'a> Offering<'a> {
    pub(crate) fn new(own: &'a mut Option<Offer>) -> Self {
        let before = OFFERED.replace(own.take());
        Self { own, before }
    }
}

impl Drop for Offering<'_> {
    fn drop(&mut self) {
        *self.own = OFFERED.replace(self.before.take());
    }
}
