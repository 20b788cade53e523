//! Counts by key template.

use super::{Cache, Inner};
use crate::stats::{Counter, TemplateStats};

impl Cache {
    /// Counts by key template: one row for each template, the functions that have missed here and direct operations together; sorted by template.
    ///
    /// A function's counts are those of all its calls, over all caches that it uses: a hit counts once, not once more for each cache. Direct operations are counted under the templates that
    /// [`Builder::template`](crate::Builder::template) was given, all others under the empty one. Counting costs a hit of a cached function nothing, a direct operation one counter.
    ///
    /// ```
    /// use larder::Template;
    ///
    /// let cache = larder::Cache::builder()
    ///     .template(Template::parse("user:{id}")?)
    ///     .build()?;
    /// cache.blocking().set("user:7", &1_u64).ttl("1m").wait()?;
    /// cache.blocking().get::<u64>("user:7")?;
    /// cache.blocking().get::<u64>("user:8")?;
    /// let rows = cache.stats_by_template();
    /// assert_eq!((rows[0].template.as_str(), rows[0].hits(), rows[0].misses), ("user:{id}", 1, 1));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[must_use]
    pub fn stats_by_template(&self) -> Vec<TemplateStats> {
        self.inner.templates.read()
    }
}

impl Inner {
    /// Counts a direct operation, or one of a direct operation's parts, under the template of its key.
    pub(crate) fn count_direct(&self, key: &str, counter: Counter, n: u64) {
        match self.templates.ask_for_keys() {
            true => self.templates.count(&self.original(key), counter, n),
            false => self.templates.count("", counter, n),
        }
    }
}
