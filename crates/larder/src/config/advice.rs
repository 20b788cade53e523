//! What is allowed and risky, said once at the start.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::origin::Origin;
use super::plan::{Level, Plan};
use crate::policy::{FOREVER, Policy};

/// A risk in a configuration that is otherwise right, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advice {
    /// What it is about, for filters: this text stays as it is from release to release.
    pub id: &'static str,
    /// The cache it concerns; empty when it concerns none.
    pub cache: String,
    /// What can happen, and what to do.
    pub message: String,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cache.as_str() {
            "" => write!(f, "{} [{}]", self.message, self.id),
            cache => write!(f, "cache `{cache}`: {} [{}]", self.message, self.id),
        }
    }
}

impl Advice {
    pub(crate) fn unknown_variable(at: &Origin) -> Self {
        Self {
            id: "unknown-variable",
            cache: String::new(),
            message: format!(
                "the variable `{at}` means nothing: unset it, or give it the name of a setting"
            ),
        }
    }
}

/// What stands out in a plan; empty for one that is switched off.
///
/// | id | risk |
/// |---|---|
/// | `no-prefix` | a shared store without `prefix` |
/// | `forever` | `ttl` is `forever` and nothing but memory keeps values |
/// | `no-ttl-anywhere` | a store without an end of life for what is in it |
/// | `no-fallback` | a remote store, a default `ttl`, and no `stale` or `fail_safe` |
/// | `defaults-without-ttl` | knobs of a policy, and no `ttl`: no call takes them |
/// | `strict-without-fallback` | `strict`, and no `fail_safe` |
/// | `deaf-memory` | memory in front of a shared store, without `client_side` and without `memory_ttl` |
/// | `long-deaf-memory` | the same with a `memory_ttl` of more than ten minutes |
/// | `tiny-compressed` | values of a few bytes are compressed |
/// | `open-wire` | an unencrypted connection to another machine, and entries are not sealed |
/// | `slow-store` | one operation may take longer than a load behind |
/// | `no-breaker` | a remote store that is never left alone |
/// | `unknown-variable` | a `LARDER_*` variable that means nothing |
#[must_use]
pub fn advice(plan: &Plan) -> Vec<Advice> {
    if plan.off {
        return Vec::new();
    }
    let mut advisor = Advisor {
        plan,
        given: Vec::new(),
    };
    advisor.of_cache();
    advisor.of_memory();
    for level in levels(plan) {
        advisor.of_level(level);
    }
    advisor.given
}

fn levels(plan: &Plan) -> impl Iterator<Item = &Level> {
    let routes = plan.routes.iter().flat_map(|route| &route.levels);
    plan.levels.iter().chain(routes)
}

/// Shared with other machines, as far as its scheme says: all but the places of one machine.
fn is_remote(level: &Level) -> bool {
    !is_on_disk(level)
}

fn is_on_disk(level: &Level) -> bool {
    matches!(level.scheme(), "sqlite" | "file")
}

struct Advisor<'a> {
    plan: &'a Plan,
    given: Vec<Advice>,
}

impl Advisor<'_> {
    fn say(&mut self, id: &'static str, message: impl Into<String>) {
        self.given.push(Advice {
            id,
            cache: self.plan.name.clone(),
            message: message.into(),
        });
    }

    fn of_cache(&mut self) {
        let plan = self.plan;
        let policy = &plan.defaults;
        let stores = levels(plan).next().is_some();
        let remote = levels(plan).find(|level| is_remote(level));
        if let Some(level) = remote.filter(|_| plan.prefix.is_empty()) {
            let place = level.place();
            self.say("no-prefix", format!("its keys in {place} begin with `larder:`, as those of every program that says no prefix, so two of them can meet: say `prefix=name-of-the-program:`"));
        }
        if policy.ttl == Some(FOREVER) && !stores {
            self.say("forever", "`ttl=forever` in memory: entries go when there is no room, and with the process; say a span if they can become wrong");
        }
        if policy.ttl == Some(FOREVER) && levels(plan).any(|level| level.ttl_cap.is_none()) {
            self.say("no-ttl-anywhere", "`ttl=forever` and a store without `ttl_cap`: entries that nothing invalidates stay there for ever; say one of them as a span");
        }
        let fallback =
            policy.stale > 0 || policy.fail_safe > 0 || policy.failover || policy.soft.is_some();
        // Calls with a ttl of their own take nothing from here: what they keep is not known.
        if remote.is_some() && policy.ttl.is_some() && !fallback {
            self.say("no-fallback", "a source that fails has no kept value to stand in: say `fail_safe=1h`, or `stale=1h`");
        }
        if policy.ttl.is_none() && *policy != Policy::new() {
            self.say("defaults-without-ttl", "its knobs are for calls that leave the ttl to the cache, and it has none: say `ttl=10m` too, or say the knobs where the ttl is said");
        }
        if plan.strict && policy.fail_safe == 0 {
            self.say("strict-without-fallback", "`strict` makes every error of a store one of the caller, and no `fail_safe` softens it: say `fail_safe=1h`, or leave `strict` out");
        }
        self.of_codec(stores);
    }

    fn of_codec(&mut self, stores: bool) {
        let codec = &self.plan.codec.address;
        let compressed = codec.peek("compress").is_some_and(|how| how != "none");
        let above = codec.peek("compress_above");
        let above = above.and_then(|text| larder_syntax::size::parse(text).ok());
        if stores && compressed && above.is_some_and(|above| above < 128) {
            self.say("tiny-compressed", "values of less than 128 bytes rarely become smaller: say `compress_above=1kb`, or leave it out");
        }
    }

    fn of_memory(&mut self) {
        let plan = self.plan;
        let Some(memory) = plan.memory else { return };
        let shared = plan.levels.first();
        let told = shared.and_then(|level| level.store.address.peek("client_side"));
        let told = told.is_some_and(|text| !matches!(text, "0" | "false" | "off"));
        let Some(level) = shared.filter(|_| !told) else {
            return;
        };
        let place = level.place();
        match memory.ttl_cap {
            None => self.say("deaf-memory", format!("memory in front of {place} does not hear what other processes invalidate there, for as long as an entry lives: say `memory_ttl=10s`, or `client_side=1` where the store can")),
            Some(cap) if cap > Duration::from_secs(600) => self.say("long-deaf-memory", format!("memory in front of {place} does not hear for up to {} what other processes invalidate there: say a shorter `memory_ttl`", super::print::span(cap))),
            Some(_) => {}
        }
    }

    fn of_level(&mut self, level: &Level) {
        let plan = self.plan;
        let place = level.place();
        if is_remote(level) && level.limits.breaker == Some(0) {
            self.say(
                "no-breaker",
                format!(
                    "{place} is asked on every call though it may be down: leave `breaker=0` out"
                ),
            );
        }
        let limit = Duration::from_nanos(plan.defaults.load_limit);
        if level.limits.timeout.is_some_and(|timeout| timeout > limit) {
            self.say("slow-store", format!("one operation of {place} may take longer than a whole load behind ({}): say a shorter `timeout`, or a longer `load_limit`", super::print::span(limit)));
        }
        let sealed = [
            "sign_key_env",
            "sign_key_file",
            "encrypt_key_env",
            "encrypt_key_file",
        ];
        let sealed = sealed
            .iter()
            .any(|name| plan.codec.address.peek(name).is_some());
        if is_open(level) && !sealed {
            self.say("open-wire", format!("entries travel to {place} unencrypted and unsigned, so whoever is in between can read and change them: say `encrypt_key_env=VARIABLE`, `sign_key_env=VARIABLE`, or use TLS"));
        }
    }
}

/// A protocol without encryption, to a host that is not this one.
fn is_open(level: &Level) -> bool {
    let address = &level.store.address;
    let plain = matches!(
        level.scheme(),
        "redis" | "redis+cluster" | "redis+sentinel" | "memcached"
    );
    plain && address.hosts(0).iter().any(|(host, _)| !is_loopback(host))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
