//! Where a call was made, for what is started later as if from there.

/// The Tokio runtime that was current, if there was one.
///
/// What a schedule starts, it starts from no call: an async source would find no reactor there.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    #[cfg(feature = "tokio")]
    handle: Option<tokio::runtime::Handle>,
}

impl Home {
    /// Here.
    pub(crate) fn current() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            handle: tokio::runtime::Handle::try_current().ok(),
        }
    }

    /// Whether it is a runtime, which may end before the process does.
    pub(crate) fn may_end(&self) -> bool {
        #[cfg(feature = "tokio")]
        return self.handle.is_some();
        #[cfg(not(feature = "tokio"))]
        return false;
    }

    /// Does something as if there.
    pub(crate) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        #[cfg(feature = "tokio")]
        let _entered = self.handle.as_ref().map(tokio::runtime::Handle::enter);
        f()
    }
}
