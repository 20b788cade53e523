//! A plan written down again: as URLs, as YAML, as TOML.

use std::fmt::Write;
use std::time::Duration;

use super::plan::{Level, Plan, SecretAt};
use crate::policy::{Early, FOREVER, Policy};

/// A setting to be written.
enum Printed {
    Text(String),
    Number(u64),
    On,
}

type Pairs = Vec<(String, Printed)>;

impl Plan {
    /// The plan as URLs set apart by spaces, as [`setup`](crate::setup) and `LARDER_URL` take it; `None` when it has routes, which no URL can say.
    ///
    /// A password that stood in a URL itself is left out: it is never shown.
    #[must_use]
    pub fn to_url(&self) -> Option<String> {
        if !self.routes.is_empty() {
            return None;
        }
        let mut settings = self.settings();
        if self.name != super::file::DEFAULT {
            settings.insert(0, ("name".to_owned(), Printed::Text(self.name.clone())));
        }
        let mut urls = Vec::new();
        if self.memory.is_some() {
            settings.extend(self.memory_settings());
            urls.push(url("memory://", &std::mem::take(&mut settings)));
        }
        for level in &self.levels {
            let mut pairs = std::mem::take(&mut settings);
            pairs.extend(level.own());
            pairs.extend(level.settings());
            urls.push(url(&level.base(), &pairs));
        }
        Some(urls.join(" "))
    }

    /// The plan as a YAML file of one cache.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut out = format!("caches:\n  {}:\n", quoted(&self.name));
        for (name, value) in self.settings().into_iter().chain(self.memory_settings()) {
            let _ = writeln!(out, "    {name}: {}", literal(&value));
        }
        if !self.levels.is_empty() {
            out.push_str("    levels:\n");
            if self.memory.is_some() {
                out.push_str("      - url: memory://\n");
            }
            self.levels.iter().for_each(|level| level.yaml(&mut out, 6));
        }
        if !self.routes.is_empty() {
            out.push_str("    routes:\n");
        }
        for route in &self.routes {
            let _ = writeln!(out, "      {}:", quoted(&route.prefix));
            route
                .levels
                .iter()
                .for_each(|level| level.yaml(&mut out, 8));
        }
        out
    }

    /// The plan as a TOML file of one cache.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let name = quoted(&self.name);
        let mut out = format!("[caches.{name}]\n");
        for (name, value) in self.settings().into_iter().chain(self.memory_settings()) {
            let _ = writeln!(out, "{name} = {}", literal(&value));
        }
        if !self.levels.is_empty() {
            let near = self.memory.map(|_| "{ url = \"memory://\" }".to_owned());
            let levels = near.into_iter().chain(self.levels.iter().map(Level::toml));
            let levels: Vec<String> = levels.collect();
            let _ = writeln!(out, "levels = [{}]", levels.join(", "));
        }
        if !self.routes.is_empty() {
            let _ = writeln!(out, "[caches.{name}.routes]");
        }
        for route in &self.routes {
            let levels: Vec<String> = route.levels.iter().map(Level::toml).collect();
            let _ = writeln!(out, "{} = [{}]", quoted(&route.prefix), levels.join(", "));
        }
        out
    }

    fn settings(&self) -> Pairs {
        let mut pairs = Pairs::new();
        let mut say = |name: &str, value| pairs.push((name.to_owned(), value));
        if !self.prefix.is_empty() {
            say("prefix", Printed::Text(self.prefix.clone()));
        }
        if self.off {
            say("off", Printed::On);
        }
        if self.strict {
            say("strict", Printed::On);
        }
        if let Some(limit) = self.background_loads {
            say("background_loads", Printed::Number(limit as u64));
        }
        for (name, value) in self.codec.address.parameters() {
            say(name, Printed::Text(value.to_owned()));
        }
        pairs.extend(knobs(&self.defaults));
        pairs
    }

    fn memory_settings(&self) -> Pairs {
        let mut pairs = Pairs::new();
        let memory = self.memory.unwrap_or_default();
        let mut say = |name: &str, value: Option<Printed>| {
            pairs.extend(value.map(|value| (name.to_owned(), value)));
        };
        say("memory_size", memory.size.map(Printed::Number));
        let weight = memory.weight.map(|bytes| Printed::Text(bytes.to_string()));
        say("memory_weight", weight);
        let cap = memory.ttl_cap.map(|cap| Printed::Text(span(cap)));
        say("memory_ttl", cap);
        pairs
    }
}

impl Level {
    /// Scheme, user and place.
    fn base(&self) -> String {
        let address = &self.store.address;
        let user = address.user().map_or(String::new(), |user| {
            // `:` would begin a password here and `/` a path.
            let user = encoded(user).replace(':', "%3A").replace('/', "%2F");
            format!("{user}@")
        });
        format!("{}://{user}{}", address.scheme(), address.place())
    }

    fn own(&self) -> Pairs {
        let own = self.store.address.parameters();
        own.map(|(name, value)| (encoded(name), Printed::Text(value.to_owned())))
            .collect()
    }

    fn settings(&self) -> Pairs {
        let mut pairs = Pairs::new();
        let mut say = |name: &str, value: Option<Printed>| {
            pairs.extend(value.map(|value| (name.to_owned(), value)));
        };
        let limits = self.limits;
        let spans = |cap: Option<Duration>| cap.map(|cap| Printed::Text(span(cap)));
        say("ttl_cap", spans(self.ttl_cap));
        say("dedupe", self.dedupe.then_some(Printed::On));
        say("timeout", spans(limits.timeout));
        say("sweep_timeout", spans(limits.sweep_timeout));
        say("breaker", limits.breaker.map(Printed::Number));
        say("probe", spans(limits.probe));
        say("remember", spans(limits.remember));
        say("remembered", limits.remembered.map(Printed::Number));
        say("in_flight", limits.in_flight.map(Printed::Number));
        match &self.password {
            Some(SecretAt::Variable(name)) => {
                say("password_env", Some(Printed::Text(name.clone())))
            }
            Some(SecretAt::File(path)) => say("password_file", Some(Printed::Text(path.clone()))),
            None => {}
        }
        pairs
    }

    fn yaml(&self, out: &mut String, indent: usize) {
        let place = quoted(&url(&self.base(), &self.own()));
        let _ = writeln!(out, "{:indent$}- url: {place}", "");
        for (name, value) in self.settings() {
            let _ = writeln!(out, "{:indent$}  {name}: {}", "", literal(&value));
        }
    }

    fn toml(&self) -> String {
        let mut out = format!("{{ url = {}", quoted(&url(&self.base(), &self.own())));
        for (name, value) in self.settings() {
            let _ = write!(out, ", {name} = {}", literal(&value));
        }
        out.push_str(" }");
        out
    }
}

/// The knobs that say something else than a policy that says nothing.
fn knobs(policy: &Policy) -> Pairs {
    const PLAIN: Policy = Policy::new();
    let nanos = |nanos: u64| match nanos {
        FOREVER => Printed::Text("forever".to_owned()),
        nanos => Printed::Text(span(Duration::from_nanos(nanos))),
    };
    let percent = |share: u32| Printed::Text(format!("{}.{:04}%", share / 10_000, share % 10_000));
    let early = |early: Early| match early {
        Early::At(at) => nanos(at),
        Early::Share(share) => percent(share),
        Early::Auto => Printed::Text("auto".to_owned()),
    };
    let changed = |value: u64, plain: u64| (value != plain).then(|| nanos(value));
    let count = |count: u32| (count != 0).then(|| Printed::Number(count.into()));
    let pairs = [
        ("ttl", policy.ttl.map(nanos)),
        ("stale", changed(policy.stale, PLAIN.stale)),
        ("early", policy.early.map(early)),
        ("soft", policy.soft.map(early)),
        ("fail_safe", changed(policy.fail_safe, PLAIN.fail_safe)),
        ("throttle", changed(policy.throttle, PLAIN.throttle)),
        ("failover", policy.failover.then_some(Printed::On)),
        ("hits", count(policy.hits)),
        ("refresh_hits", count(policy.refresh_hits)),
        (
            "jitter",
            (policy.jitter != 0).then(|| percent(policy.jitter)),
        ),
        ("wait", changed(policy.wait, PLAIN.wait)),
        ("load_limit", changed(policy.load_limit, PLAIN.load_limit)),
        ("load_timeout", changed(policy.timeout, PLAIN.timeout)),
        (
            "hard_timeout",
            changed(policy.hard_timeout, PLAIN.hard_timeout),
        ),
        ("entry_weight", count(policy.weight)),
    ];
    let said = pairs.into_iter();
    said.filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// A span as it is read: `1h30m`.
pub(crate) fn span(span: Duration) -> String {
    const UNITS: [(&str, u128); 7] = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    let mut left = span.as_nanos();
    let mut out = String::new();
    for (unit, size) in UNITS {
        if left >= size {
            let _ = write!(out, "{}{unit}", left / size);
            left %= size;
        }
    }
    out
}

fn url(base: &str, pairs: &Pairs) -> String {
    let mut out = base.to_owned();
    for (index, (name, value)) in pairs.iter().enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        let _ = match value {
            Printed::Text(text) => write!(out, "{name}={}", encoded(text)),
            Printed::Number(number) => write!(out, "{name}={number}"),
            Printed::On => write!(out, "{name}=1"),
        };
    }
    out
}

/// Percent-encoding by RFC 3986, section 2: all but what needs none anywhere in a query.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b':'
            | b'/'
            | b',' => {
                out.push(byte.into());
            }
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

fn literal(value: &Printed) -> String {
    match value {
        Printed::Text(text) => quoted(text),
        Printed::Number(number) => number.to_string(),
        Printed::On => "true".to_owned(),
    }
}

/// Text in double quotes, with escapes that YAML 1.2 (section 5.7) and TOML share.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            // Also what YAML takes for a line break or a mark, and TOML for neither.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}') => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
