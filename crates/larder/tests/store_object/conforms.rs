//! The suite that every store passes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use larder::conformance::{Case, Expect, Power, Subject};
use larder::runtime::BoxFuture;
use larder::store::Store;

use super::suite::Bed;

/// Less than what the suite would try, so that it tries the bound too.
const LARGEST: usize = 1_000_000;

impl Subject for Bed {
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
        // What is shown here is not how long a busy machine takes.
        let store = self.within(prefix, &format!("&max={LARGEST}&timeout=5m"));
        Box::pin(async move { store })
    }

    fn expect(&self) -> Expect {
        Expect::everything()
            // A lock ends by the server's clock, which tells whole seconds.
            .tick(Duration::from_secs(3))
            .largest(LARGEST)
            .unsupported(Power::Touch)
            .unsupported(Power::Windows)
            .unsupported(Power::Bits)
            .unsupported(Power::Invalidations)
    }
}

/// All cases, some at a time: most of their time they wait for lives to end. Those of tags alone, because the tag epoch is one for all.
pub(crate) async fn conforms(bed: &Bed) {
    let cases = larder::conformance::cases().iter();
    let (tags, others): (Vec<&Case>, Vec<&Case>) =
        cases.partition(|case| case.name().starts_with("tags::"));
    let mut failures = Vec::new();
    for (cases, at_once) in [(tags, 1), (others, 6)] {
        let ran = cases.into_iter().map(|case| case.run(bed));
        let ran: Vec<_> = stream::iter(ran).buffer_unordered(at_once).collect().await;
        failures.extend(
            ran.into_iter()
                .filter_map(Result::err)
                .map(|f| f.to_string()),
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
