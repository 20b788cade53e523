//! From what was said to a plan: reading each setting, and refusing what cannot be meant together.

use std::time::Duration;

use super::draft::{Draft, Spot};
use super::knobs::{CODEC, POLICY};
use super::node::Name;
use super::origin::Origin;
use super::plan::{Described, Level, Limits, Memory, Plan, Route, SecretAt};
use super::said::{Said, Settings};
use crate::error::Result;
use crate::policy::{Policy, Span};
use crate::store::Address;

/// What one cache is to be.
pub(crate) fn plan(name: &Name, draft: &Draft, defaults: &Settings) -> Result<Plan> {
    let said = draft.settings.over(defaults);
    let limits = limits(&said, Limits::default())?;
    let memory = memory(draft, &said)?;
    if let (Some((first, _)), true) = (draft.routes.first(), draft.levels.is_empty()) {
        return Err(first
            .at
            .fault("routes need a `url` or `levels` with a store: all other keys go there"));
    }
    let mut levels = levels(&draft.levels, limits)?;
    cap_store(draft, &said, memory, &mut levels)?;
    let routes = draft.routes.iter().map(|(prefix, spots)| {
        Ok(Route {
            prefix: prefix.text.clone(),
            levels: self::levels(spots, limits)?,
        })
    });
    let mut routes = routes.collect::<Result<Vec<_>>>()?;
    routes.sort_by(|a, b| a.prefix.cmp(&b.prefix));
    let plan = Plan {
        name: text(&said, "name")?.unwrap_or_else(|| name.text.clone()),
        prefix: text(&said, "prefix")?.unwrap_or_default(),
        off: draft.off.is_some() || flag(&said, "off")?,
        memory,
        levels,
        routes,
        defaults: policy(&said)?,
        strict: flag(&said, "strict")?,
        background_loads: match said.find("background_loads") {
            Some(said) => Some(usize::try_from(said.number()?).unwrap_or(usize::MAX)),
            None => None,
        },
        codec: codec(&said, &name.at)?,
    };
    order(&plan, &said)?;
    Ok(plan)
}

fn text(settings: &Settings, name: &str) -> Result<Option<String>> {
    let said = settings.find(name);
    said.map(|said| said.text().map(str::to_owned)).transpose()
}

fn flag(settings: &Settings, name: &str) -> Result<bool> {
    settings.find(name).map_or(Ok(false), Said::flag)
}

fn span(settings: &Settings, name: &str) -> Result<Option<Duration>> {
    settings.find(name).map(Said::span).transpose()
}

/// The knobs in the order in which they were said, so that of two that contradict each other the later is told.
fn policy(settings: &Settings) -> Result<Policy> {
    let mut policy = Policy::new();
    let knobs = settings.0.iter();
    for said in knobs.filter(|said| POLICY.contains(&said.name.as_str())) {
        policy = knob(policy, said)?;
        if let Some(fault) = policy.fault() {
            return Err(said.of_policy(fault));
        }
    }
    Ok(policy)
}

fn knob(policy: Policy, said: &Said) -> Result<Policy> {
    let span = || said.nanos().map(Span);
    Ok(match said.name.as_str() {
        "ttl" => policy.ttl(span()?),
        "stale" => policy.stale(span()?),
        "early" => policy.early(said.early()?),
        "soft" => policy.soft(said.early()?),
        "fail_safe" => policy.fail_safe(span()?),
        "throttle" => policy.throttle(span()?),
        "failover" if said.flag()? => policy.failover(),
        "hits" => policy.hits(said.hits()?),
        "refresh_hits" => policy.refresh_hits(said.hits()?),
        "jitter" => policy.jitter(said.share()?),
        "wait" => policy.wait(span()?),
        "load_limit" => policy.load_limit(span()?),
        "load_timeout" => policy.timeout(span()?),
        "hard_timeout" => policy.hard_timeout(span()?),
        "entry_weight" => policy.weight(weight(said)?),
        _ => policy,
    })
}

fn weight(said: &Said) -> Result<u32> {
    let weight = u32::try_from(said.number()?)
        .ok()
        .filter(|weight| *weight > 0);
    weight.ok_or_else(|| said.fault("a weight is a whole number from 1 to 4294967295"))
}

/// The tier in this process: where it was asked for, where it is all there is, and where a store keeps a copy of its own true.
fn memory(draft: &Draft, said: &Settings) -> Result<Option<Memory>> {
    let number = |name| said.find(name).map(Said::at_least_one).transpose();
    let memory = Memory {
        size: number("memory_size")?,
        weight: said.find("memory_weight").map(Said::bytes).transpose()?,
        ttl_cap: span(said, "memory_ttl")?,
    };
    let copy = |spot: &Spot| client_side(spot).is_some();
    let due = draft.memory.is_some()
        || memory != Memory::default()
        || draft.levels.is_empty()
        || draft.levels.iter().any(copy);
    Ok(due.then_some(memory))
}

fn limits(settings: &Settings, below: Limits) -> Result<Limits> {
    let number = |name| settings.find(name).map(Said::number).transpose();
    let positive = |name| settings.find(name).map(Said::at_least_one).transpose();
    Ok(Limits {
        timeout: span(settings, "timeout")?.or(below.timeout),
        sweep_timeout: span(settings, "sweep_timeout")?.or(below.sweep_timeout),
        breaker: number("breaker")?.or(below.breaker),
        probe: span(settings, "probe")?.or(below.probe),
        remember: span(settings, "remember")?.or(below.remember),
        remembered: positive("remembered")?.or(below.remembered),
        in_flight: positive("in_flight")?.or(below.in_flight),
    })
}

fn levels(spots: &[Spot], below: Limits) -> Result<Vec<Level>> {
    let levels = spots.iter().enumerate();
    let levels = levels.map(|(depth, spot)| level(spot, depth, below));
    let levels = levels.collect::<Result<Vec<_>>>()?;
    for (pair, spots) in levels.windows(2).zip(spots.windows(2)) {
        let (Some(near), Some(far)) = (pair[0].ttl_cap, pair[1].ttl_cap) else {
            continue;
        };
        if near > far {
            let at = spots[0]
                .settings
                .find("ttl_cap")
                .map_or(&spots[0].at, |said| &said.at);
            return Err(at.fault("this `ttl_cap` is longer than that of the level behind: the nearer keeps entries for the shorter time"));
        }
    }
    Ok(levels)
}

/// `client_side`, where it is switched on.
fn client_side(spot: &Spot) -> Option<&Origin> {
    let in_url = spot
        .address
        .peek("client_side")
        .map(|text| (text.to_owned(), &spot.at));
    let beside = spot.own.find("client_side");
    let beside = beside.and_then(|said| Some((said.as_parameter().ok()?, &said.at)));
    let (text, at) = in_url.or(beside)?;
    (!matches!(text.as_str(), "0" | "false" | "off")).then_some(at)
}

fn level(spot: &Spot, depth: usize, below: Limits) -> Result<Level> {
    if let Some(at) = client_side(spot).filter(|_| depth > 0) {
        return Err(at.fault("`client_side` is for the first store of a chain: what stands before it would not hear of changes"));
    }
    let mut store = Described {
        address: spot.address.clone(),
        at: spot.at.clone(),
        said: Vec::new(),
    };
    for said in &spot.own.0 {
        store.address.add(&said.name, &said.as_parameter()?);
    }
    for said in spot.own.0.iter().chain(&spot.settings.0) {
        let place = (said.name.clone(), said.named.clone(), said.at.clone());
        store.said.push(place);
    }
    Ok(Level {
        ttl_cap: span(&spot.settings, "ttl_cap")?,
        dedupe: flag(&spot.settings, "dedupe")?,
        limits: limits(&spot.settings, below)?,
        password: password(spot)?,
        store,
    })
}

fn password(spot: &Spot) -> Result<Option<SecretAt>> {
    let variable = spot.settings.find("password_env");
    let file = spot.settings.find("password_file");
    let said = match (variable, file) {
        (None, None) => return Ok(None),
        (Some(_), Some(said)) => {
            return Err(said
                .named
                .fault("`password_env` and `password_file` both name a secret: leave one out"));
        }
        (Some(said), None) | (None, Some(said)) => said,
    };
    if spot.address.password().is_some() {
        let name = &said.name;
        return Err(said.named.fault(format!(
            "`{name}` names a password, and one stands in the URL: leave one out"
        )));
    }
    let place = said.text()?.to_owned();
    if place.is_empty() {
        return Err(said.fault("an empty name: say where the secret is"));
    }
    Ok(Some(match variable {
        Some(_) => SecretAt::Variable(place),
        None => SecretAt::File(place),
    }))
}

/// The short form of memory in front of a store: the store keeps entries twice as long unless it says for how long.
fn cap_store(
    draft: &Draft,
    said: &Settings,
    memory: Option<Memory>,
    levels: &mut [Level],
) -> Result<()> {
    if let Some(said) = said.find("store_ttl") {
        let cap = said.span()?;
        let [level] = levels else {
            return Err(said.named.fault(
                "`store_ttl` is for a cache of one store: give each level its own `ttl_cap`",
            ));
        };
        if level.ttl_cap.is_some() {
            return Err(said
                .named
                .fault("`store_ttl` and `ttl_cap` say the same: leave one out"));
        }
        level.ttl_cap = Some(cap);
    } else if let ([level], Some(cap)) = (levels, memory.and_then(|memory| memory.ttl_cap)) {
        // A chain that names `memory://` says all caps itself.
        if draft.memory.is_none() {
            level.ttl_cap = level.ttl_cap.or(cap.checked_mul(2));
        }
    }
    Ok(())
}

fn codec(said: &Settings, at: &Origin) -> Result<Described> {
    let mut codec = Described {
        address: Address::nowhere("codec"),
        at: at.clone(),
        said: Vec::new(),
    };
    for said in said
        .0
        .iter()
        .filter(|said| CODEC.contains(&said.name.as_str()))
    {
        codec.address.add(&said.name, &said.as_parameter()?);
        let place = (said.name.clone(), said.named.clone(), said.at.clone());
        codec.said.push(place);
    }
    let first = |names: &[&str]| {
        said.0
            .iter()
            .find(|said| names.contains(&said.name.as_str()))
    };
    let sealed = first(&["sign_key_env", "sign_key_file"]);
    let hidden = first(&["encrypt_key_env", "encrypt_key_file"]);
    if let (Some(_), Some(said)) = (sealed, hidden) {
        return Err(said.named.fault("entries are signed or encrypted, not both: encryption proves where they come from as well"));
    }
    if codec.address.peek("envelope") == Some("none")
        && let Some(said) = sealed.or(hidden).or(first(&["compress", "fingerprint"]))
    {
        return Err(said.named.fault(format!(
            "`{}` needs the envelope: leave out `envelope=none`, which writes plain JSON",
            said.name
        )));
    }
    Ok(codec)
}

fn order(plan: &Plan, said: &Settings) -> Result<()> {
    let cap = plan.memory.and_then(|memory| memory.ttl_cap);
    let store = plan.levels.first().and_then(|level| level.ttl_cap);
    if let (Some(near), Some(far)) = (cap, store)
        && near > far
        && let Some(said) = said.find("memory_ttl")
    {
        return Err(said.at.fault("memory would keep entries for longer than the store behind it: give `memory_ttl` less than the store's cap"));
    }
    Ok(())
}
