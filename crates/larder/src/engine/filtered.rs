//! A call of a source behind a Bloom filter.

use std::future::Future;

use super::guarded::{asking, tell_refused};
use crate::cache::Cache;
use crate::error::Error;
use crate::event::Event;
use crate::guard::mark::Mark;
use crate::guard::{
    Answers, Asking, Bloom, Body, Guard, Mode, Outage, Reason, Refused, Said, is_misuse,
};
use crate::key::KeyBuf;
use crate::runtime::block_on;
use crate::stats::Counter;

/// Asks a filter and answers for the source if that is certain; else calls the source.
///
/// # Cancellation
/// Dropping the future drops the source; a pair then learns nothing.
pub async fn filtered<R, L, F>(
    cache: &Cache,
    bloom: &Bloom,
    (name, key): (KeyBuf, KeyBuf),
    answers: Answers<R>,
    load: L,
) -> R
where
    L: FnOnce() -> F,
    F: Future<Output = R>,
{
    let asking = asking(cache, bloom.name(), &key, Body::Async);
    let refuse = |refused: Refused| {
        let refuse = answers.refuse?;
        tell_refused(cache, &asking, &refused, Mark::Refused);
        Some(refuse(refused))
    };
    let asked = match bloom.filter(&*cache.inner, cache.prefix(), &name) {
        Ok(filter) => filter.ask(key.as_str()).await.map(|said| (filter, said)),
        Err(error) => Err(error),
    };
    let (answer, learner) = match asked {
        Ok((_, Said::No)) => (rule_out(cache, &asking, answers, refuse), None),
        Ok((_, Said::Yes)) => ((answers.yes)(), None),
        // Also of one whose "maybe" is an answer: this one knows nothing.
        Ok((_, Said::NotReady)) => (None, None),
        Ok((filter, Said::Maybe)) => match bloom.mode() {
            Mode::Checked => (None, None),
            Mode::Unchecked => ((answers.yes)(), None),
            Mode::Pair => (None, Some(filter)),
        },
        Err(error) => (cannot_say(&asking, bloom, &error).and_then(refuse), None),
    };
    if let Some(answer) = answer {
        return answer;
    }
    // Apart from this future: a guard must not make each call of a small function large.
    let output = Box::pin(load()).await;
    if let (Some(filter), Some(is_yes)) = (learner, (answers.is_yes)(&output))
        && let Err(error) = filter.learn(key.as_str(), is_yes).await
    {
        // The answer is there, whatever becomes of the filter.
        drop(asking.failed(&error, Outage::Open));
    }
    output
}

fn rule_out<R>(
    cache: &Cache,
    asking: &Asking,
    answers: Answers<R>,
    refuse: impl Fn(Refused) -> Option<R>,
) -> Option<R> {
    match answers.no {
        Some(no) => {
            let key = asking.key();
            cache.inner.stats.add(Counter::RuledOut, 1);
            cache.inner.tell(|| Event::RuledOut { key });
            Some(no())
        }
        None => refuse(asking.refuse(Reason::Absent)),
    }
}

/// The refusal of a filter that cannot be asked, if there is to be one.
fn cannot_say(asking: &Asking, bloom: &Bloom, error: &Error) -> Option<Refused> {
    let failed = asking.failed(error, bloom.outage());
    if is_misuse(error) {
        return Some(asking.refuse(Reason::Misconfigured).because(error.clone()));
    }
    failed.err()
}

/// [`filtered`] with a sync source, on this thread.
pub fn filtered_sync<R, L>(
    cache: &Cache,
    bloom: &Bloom,
    names: (KeyBuf, KeyBuf),
    answers: Answers<R>,
    load: L,
) -> R
where
    L: FnOnce() -> R,
{
    let load = || async { load() };
    block_on(filtered(cache, bloom, names, answers, load))
}
