//! Whether the filter that is said to be ready is the one that was filled.
//!
//! The first keys that a process adds come with a mark: a few bits at random among those that stand before the filter. Whoever loses the filter loses its marks, so a mark that is
//! gone says that keys are gone.

use parking_lot::Mutex;

use super::size::{HEADER, READY};

/// How many bits a mark has: few, so that the marks of many processes leave room, and so many that others seldom cover one.
const BITS: usize = 8;

/// A few of the bits between the first two and the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark([u32; BITS]);

impl Mark {
    pub(super) fn new(mut random: u64) -> Self {
        let first = READY.len() as u32;
        let places = u64::from(HEADER - first);
        Self(std::array::from_fn(|_| {
            let place = first + (random % places) as u32;
            random /= places;
            place
        }))
    }

    pub(super) fn positions(&self) -> [u32; BITS] {
        self.0
    }
}

/// The filter is not the one that was marked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost;

/// What this process has added since it said last that the filter is ready.
#[derive(Default)]
pub(super) struct Fill(Mutex<State>);

#[derive(Clone, Copy, Default)]
enum State {
    /// Nothing.
    #[default]
    None,
    /// The mark is on its way to the store, or may be there.
    Begun(Mark),
    Marked(Mark),
    Lost,
}

impl Fill {
    /// The mark that has to come with the keys, unless it is set.
    pub(super) fn begin(&self, new: impl FnOnce() -> Mark) -> Option<Mark> {
        let new = new();
        let mut state = self.0.lock();
        match *state {
            State::Marked(_) => None,
            State::Begun(mark) => Some(mark),
            State::None | State::Lost => {
                *state = State::Begun(new);
                Some(new)
            }
        }
    }

    pub(super) fn is_marked(&self, mark: Mark) {
        self.turn(mark, State::Marked(mark));
    }

    /// The mark that has to be there when the filter is said to be ready.
    pub(super) fn mark(&self) -> Result<Option<Mark>, Lost> {
        match *self.0.lock() {
            State::None => Ok(None),
            State::Begun(mark) | State::Marked(mark) => Ok(Some(mark)),
            State::Lost => Err(Lost),
        }
    }

    pub(super) fn is_over(&self, mark: Mark) {
        self.turn(mark, State::None);
    }

    pub(super) fn is_lost(&self, mark: Mark) {
        self.turn(mark, State::Lost);
    }

    pub(super) fn is_reset(&self) {
        *self.0.lock() = State::None;
    }

    pub(super) fn is_open(&self) -> bool {
        !matches!(*self.0.lock(), State::None)
    }

    /// Unless another fill has begun meanwhile.
    fn turn(&self, mark: Mark, to: State) {
        let mut state = self.0.lock();
        if let State::Begun(own) | State::Marked(own) = *state
            && own == mark
        {
            *state = to;
        }
    }
}
