//! The shape of a file: which key may stand where.

use super::draft::{Draft, chain};
use super::knobs::{self, CACHE, CODEC, LEVEL, LIMITS, PLACES, POLICY, is_of_cache, of_memory};
use super::node::{Name, Node, Value};
use super::said::{Said, Settings};
use crate::error::{Error, Result};

/// The caches of a file, and what holds for all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    pub(crate) defaults: Settings,
    pub(crate) caches: Vec<(Name, Draft)>,
}

const TOP: [&str; 2] = ["defaults", "caches"];

/// The cache of a file that names none.
pub(crate) const DEFAULT: &str = "default";

pub(crate) fn read(root: Node) -> Result<File> {
    let at = root.at.clone();
    let pairs = match root.value {
        Value::Map(pairs) if !pairs.is_empty() => pairs,
        Value::Nothing | Value::Map(_) => {
            return Err(at.fault("this file says nothing: write at least `url: memory://`"));
        }
        other => {
            return Err(at.fault(format!(
                "a configuration is a mapping, like `url: memory://`, but {}",
                other.what()
            )));
        }
    };
    let mut file = File::default();
    let mut flat = Vec::new();
    let mut named = false;
    for (name, node) in pairs {
        match name.text.as_str() {
            "defaults" => file.defaults = defaults(node)?,
            "caches" => {
                named = true;
                file.caches = caches(node)?;
            }
            _ => flat.push((name, node)),
        }
    }
    if !named {
        let name = Name {
            text: DEFAULT.to_owned(),
            at,
        };
        let draft = cache(flat, &TOP)?;
        file.caches.push((name, draft));
    } else if let Some((name, _)) = flat.first() {
        return Err(beside_caches(name));
    }
    Ok(file)
}

fn beside_caches(name: &Name) -> Error {
    let text = name.text.as_str();
    if is_of_cache(text) || LIMITS.contains(&text) {
        return name.at.fault(format!(
            "`{text}` stands beside `caches`: put it into one of them, or into `defaults`"
        ));
    }
    if PLACES.contains(&text) || LEVEL.contains(&text) {
        return name.at.fault(format!(
            "`{text}` stands beside `caches`: put it into one of them"
        ));
    }
    name.at
        .fault(knobs::unknown("key", text, &TOP, "defaults, caches"))
}

fn said((name, node): (Name, Node)) -> Said {
    Said {
        spoken: name.text.clone(),
        name: name.text,
        value: node.value,
        named: name.at,
        at: node.at,
    }
}

fn mapping(node: Node, due: &str) -> Result<Vec<(Name, Node)>> {
    match node.value {
        Value::Map(pairs) => Ok(pairs),
        other => {
            let what = other.what();
            Err(node.at.fault(format!("expected {due}, but {what}")))
        }
    }
}

fn defaults(node: Node) -> Result<Settings> {
    let mut settings = Settings::default();
    for pair in mapping(node, "a mapping of settings")? {
        let text = pair.0.text.as_str();
        if PLACES.contains(&text) || LEVEL.contains(&text) {
            return Err(pair
                .0
                .at
                .fault(format!("`{text}` is no default: put it into a cache")));
        }
        if !is_of_cache(text) && !LIMITS.contains(&text) {
            let known: Vec<_> = CACHE
                .into_iter()
                .chain(POLICY)
                .chain(LIMITS)
                .chain(CODEC)
                .collect();
            let listed = knobs::names_of(&LIMITS);
            return Err(pair
                .0
                .at
                .fault(knobs::unknown("key", text, &known, &listed)));
        }
        settings.add(said(pair))?;
    }
    Ok(settings)
}

fn caches(node: Node) -> Result<Vec<(Name, Draft)>> {
    let mut caches = Vec::new();
    for (name, node) in mapping(node, "a mapping from names to caches")? {
        if name.text.trim().is_empty() {
            return Err(name.at.fault("a cache needs a name"));
        }
        let draft = match node.value {
            Value::Text(_) => cache(vec![(url_key(&node), node)], &[])?,
            Value::Nothing => Draft::default(),
            _ => cache(mapping(node, "a URL, or a mapping of settings,")?, &[])?,
        };
        caches.push((name, draft));
    }
    Ok(caches)
}

fn url_key(node: &Node) -> Name {
    Name {
        text: "url".to_owned(),
        at: node.at.clone(),
    }
}

/// One cache; `more` are keys that could be meant as well.
fn cache(pairs: Vec<(Name, Node)>, more: &[&str]) -> Result<Draft> {
    let mut draft = Draft::default();
    let mut rest = Vec::new();
    let mut place: Option<Name> = None;
    for pair in pairs {
        let (name, node) = pair;
        match name.text.as_str() {
            text @ ("url" | "levels") => {
                if let Some(before) = &place {
                    return Err(name.at.fault(format!(
                        "`{}` and `{text}` both say where values are kept: leave one out",
                        before.text
                    )));
                }
                match text {
                    "url" => url(&mut draft, said((name.clone(), node)))?,
                    _ => levels(&mut draft, node)?,
                }
                place = Some(name);
            }
            "routes" => draft.routes = routes(node)?,
            "name" => {
                return Err(name
                    .at
                    .fault("a cache has no `name` of its own: it is the key under `caches`"));
            }
            text if is_of_cache(text) => draft.settings.add(said((name, node)))?,
            _ => rest.push(said((name, node))),
        }
    }
    let by_url = place.is_some_and(|name| name.text == "url");
    let kept = match draft.levels.len() {
        0 if by_url => Kept::InMemory,
        1 if by_url => Kept::InOneStore,
        _ => Kept::Otherwise,
    };
    for said in rest {
        settle(&mut draft, said, kept, more)?;
    }
    draft.check_off()?;
    Ok(draft)
}

/// Where a cache keeps its values, as far as `url` says it.
#[derive(Clone, Copy)]
enum Kept {
    InMemory,
    InOneStore,
    Otherwise,
}

/// Puts a setting of a cache where it belongs once it is known what the cache is kept in; `more` are keys that could be meant as well.
fn settle(draft: &mut Draft, said: Said, kept: Kept, more: &[&str]) -> Result<()> {
    let name = said.name.as_str();
    match (kept, of_memory(name)) {
        (Kept::InMemory, Some(long)) => return draft.settings.add(said.called(long)),
        // What is no setting of ours may be one of the store's, which is asked when it is opened.
        (Kept::InOneStore, _) => return draft.levels[0].add(said),
        _ if LIMITS.contains(&name) => return draft.settings.add(said),
        _ => {}
    }
    if let Some(message) = knobs::secret(name) {
        return Err(said.named.fault(message));
    }
    if LEVEL.contains(&name) {
        return Err(said.named.fault(format!(
            "`{name}` concerns one level: put it into its URL or its entry of `levels`"
        )));
    }
    let places: Vec<&str> = more.iter().copied().chain(PLACES).chain(LIMITS).collect();
    let settings = CACHE.into_iter().chain(POLICY).chain(CODEC);
    let known: Vec<&str> = places.iter().copied().chain(settings).collect();
    let listed = knobs::names_of(&places);
    let message = knobs::unknown("key", name, &known, &listed);
    Err(said.named.fault(message))
}

fn url(draft: &mut Draft, said: Said) -> Result<()> {
    for address in chain(said.text()?, &said.at)? {
        draft.add(address, &said.at)?;
    }
    Ok(())
}

fn levels(draft: &mut Draft, node: Node) -> Result<()> {
    let Value::List(items) = node.value else {
        let what = node.value.what();
        return Err(node.at.fault(format!(
            "expected a list of URLs or of mappings with `url`, from near to far, but {what}"
        )));
    };
    if items.is_empty() {
        return Err(node.at.fault("an empty list of levels: leave `levels` out"));
    }
    items.into_iter().try_for_each(|item| level(draft, item))
}

fn level(draft: &mut Draft, node: Node) -> Result<()> {
    let at_level = node.at.clone();
    let mut pairs = match node.value {
        Value::Text(_) => vec![(url_key(&node), node)],
        Value::Map(pairs) => pairs,
        other => {
            let what = other.what();
            return Err(node.at.fault(format!(
                "expected a URL, or a mapping with `url`, but {what}"
            )));
        }
    };
    let Some(at) = pairs.iter().position(|(name, _)| name.text == "url") else {
        return Err(at_level.fault("a level needs a `url`"));
    };
    let place = said(pairs.remove(at));
    let mut addresses = chain(place.text()?, &place.at)?;
    if addresses.len() > 1 {
        return Err(place
            .at
            .fault("a level is one URL: give each its own entry of the list"));
    }
    let before = draft.levels.len();
    draft.add(addresses.remove(0), &place.at)?;
    for pair in pairs {
        let said = said(pair);
        if is_of_cache(&said.name) {
            return Err(said.named.fault(format!(
                "`{}` concerns the whole cache: put it beside `levels`",
                said.name
            )));
        }
        if draft.levels.len() > before {
            draft.levels[before].add(said)?;
        } else if let Some(long) = of_memory(&said.name) {
            draft.settings.add(said.called(long))?;
        } else {
            let known = ["url", "size", "weight", "ttl_cap"];
            let listed = known.join(", ");
            return Err(said
                .named
                .fault(knobs::unknown("key", &said.name, &known, &listed)));
        }
    }
    Ok(())
}

fn routes(node: Node) -> Result<Vec<(Name, Vec<super::draft::Spot>)>> {
    let mut routes = Vec::new();
    for (name, node) in mapping(node, "a mapping from prefixes of keys to stores")? {
        if name.text.is_empty() {
            return Err(name.at.fault(
                "an empty prefix is no route: keys without a route go to `url` or `levels`",
            ));
        }
        let mut draft = Draft::default();
        match node.value {
            Value::Text(_) => url(&mut draft, said((name.clone(), node)))?,
            Value::List(_) => levels(&mut draft, node)?,
            _ => level(&mut draft, node)?,
        }
        if let Some(at) = draft.memory.or(draft.off) {
            return Err(
                at.fault("a route leads to stores: the memory tier stands before all of them")
            );
        }
        if let Some(said) = draft.settings.0.first() {
            return Err(said.named.fault(format!(
                "`{}` concerns the whole cache: it cannot stand in a route",
                said.name
            )));
        }
        routes.push((name, draft.levels));
    }
    Ok(routes)
}
