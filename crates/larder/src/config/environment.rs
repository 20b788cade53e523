//! `LARDER_*` variables on top of a file.

use std::sync::Arc;

use larder_syntax::suggest;

use super::advice::Advice;
use super::draft::Draft;
use super::file::{DEFAULT, File};
use super::knobs::{CACHE, CODEC, LIMITS, POLICY};
use super::node::{LARGEST, Name, Value};
use super::origin::Origin;
use super::said::Said;
use crate::error::Result;

const PREFIX: &str = "LARDER_";

/// Variables that are not about a cache: where the file is, and the seed of [`testing`](crate::testing).
const OTHERS: [&str; 2] = ["CONFIG", "SEED"];

/// A variable: its name without `LARDER_`, its value, and its place.
struct Variable<'a> {
    rest: &'a str,
    value: &'a str,
    at: Origin,
}

/// Puts variables on top of a file. What begins with `LARDER_` and means nothing is an error when it is near to something that does, else it is noted.
pub(crate) fn overlay(file: &mut File, variables: &[(String, String)]) -> Result<Vec<Advice>> {
    let mut ours: Vec<Variable<'_>> = Vec::new();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        // Empty is how a variable is taken back where it cannot be unset.
        if value.is_empty() || OTHERS.contains(&rest) {
            continue;
        }
        let at = Origin::Variable(Arc::from(name.as_str()));
        if value.len() > LARGEST {
            return Err(at.fault("this is longer than a setting can be"));
        }
        ours.push(Variable { rest, value, at });
    }
    // URLs first: they make caches, and another variable counts more than a parameter.
    ours.sort_by_key(|variable| (!variable.rest.ends_with("URL"), variable.rest));
    let mut unknown = Vec::new();
    for variable in ours {
        match aim(file, &variable)? {
            Some(aim) => apply(file, &aim, &variable)?,
            None => unknown.push(variable),
        }
    }
    let mut notices = Vec::new();
    let secrets = secrets(file);
    for variable in unknown {
        let whole = variable.at.to_string();
        if !secrets.contains(&whole) {
            notices.push(meaningless(file, &variable)?);
        }
    }
    Ok(notices)
}

/// What a variable speaks of.
enum Aim {
    All,
    Cache { name: String, setting: String },
}

fn settings() -> impl Iterator<Item = &'static str> {
    let all = CACHE.into_iter().chain(POLICY).chain(CODEC).chain(LIMITS);
    std::iter::once("url").chain(all)
}

fn capitals(name: &str) -> String {
    let capital = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '_',
    };
    name.chars().map(capital).collect()
}

fn is_setting(rest: &str) -> bool {
    settings().any(|name| capitals(name) == rest)
}

fn aim(file: &File, variable: &Variable<'_>) -> Result<Option<Aim>> {
    if variable.rest == "OFF" {
        return Ok(Some(Aim::All));
    }
    let mut aims = Vec::new();
    if is_setting(variable.rest) {
        aims.push((DEFAULT, variable.rest));
    }
    for (name, _) in &file.caches {
        let setting = variable.rest.strip_prefix(&capitals(&name.text));
        let setting = setting.and_then(|rest| rest.strip_prefix('_'));
        if let Some(setting) = setting.filter(|setting| is_setting(setting)) {
            aims.push((name.text.as_str(), setting));
        }
    }
    if let [(first, _), (second, _), ..] = aims[..] {
        return Err(variable.at.fault(format!(
            "this can mean the cache `{first}` or the cache `{second}`: give one of them another name"
        )));
    }
    let aim = |name: &str, setting: &str| Aim::Cache {
        name: name.to_owned(),
        setting: setting.to_ascii_lowercase(),
    };
    if let Some((name, setting)) = aims.pop() {
        return Ok(Some(aim(name, setting)));
    }
    // `LARDER_<NAME>_URL` makes a cache, unless the name is a slip in one that there is.
    let Some(name) = variable.rest.strip_suffix("_URL") else {
        return Ok(None);
    };
    let near = file.caches.iter().map(|(name, _)| name.text.as_str());
    if name.is_empty() || suggest::nearest(name, near).is_some() {
        return Ok(None);
    }
    Ok(Some(aim(&name.to_ascii_lowercase(), "URL")))
}

fn apply(file: &mut File, aim: &Aim, variable: &Variable<'_>) -> Result<()> {
    let (cache, setting) = match aim {
        Aim::All => {
            let off = Said::untyped("off", variable.value, &variable.at);
            // `LARDER_OFF=0` leaves what the file says.
            if off.flag()? {
                find(file, DEFAULT, &variable.at);
                for (_, draft) in &mut file.caches {
                    draft.settings.put(off.clone());
                }
            }
            return Ok(());
        }
        Aim::Cache { name, setting } => (name, setting.as_str()),
    };
    let draft = find(file, cache, &variable.at);
    if setting == "url" {
        let said = Draft::of_urls(variable.value, &variable.at)?;
        let settings = said.settings.over(&draft.settings);
        *draft = Draft { settings, ..said };
        return Ok(());
    }
    let said = Said::untyped(setting, variable.value, &variable.at);
    if LIMITS.contains(&setting) {
        draft
            .spots()
            .for_each(|spot| spot.settings.put(said.clone()));
    }
    draft.settings.put(said);
    Ok(())
}

fn find<'a>(file: &'a mut File, cache: &str, at: &Origin) -> &'a mut Draft {
    let known = file.caches.iter().position(|(name, _)| name.text == cache);
    let index = known.unwrap_or_else(|| {
        let name = Name {
            text: cache.to_owned(),
            at: at.clone(),
        };
        file.caches.push((name, Draft::default()));
        file.caches.len() - 1
    });
    &mut file.caches[index].1
}

/// The variables that settings name as the places of secrets.
fn secrets(file: &mut File) -> Vec<String> {
    let mut names = Vec::new();
    let mut note = |said: &Said| {
        if let (true, Value::Text(text) | Value::Untyped(text)) =
            (said.name.ends_with("_env"), &said.value)
        {
            names.push(text.clone());
        }
        if let ("old_keys", Value::Text(text) | Value::Untyped(text)) =
            (said.name.as_str(), &said.value)
        {
            let keys = text.split(',');
            names.extend(keys.filter_map(|key| Some(key.split_once("env:")?.1.to_owned())));
        }
    };
    file.defaults.0.iter().for_each(&mut note);
    for (_, draft) in &mut file.caches {
        draft.settings.0.iter().for_each(&mut note);
        for spot in draft.spots() {
            let beside = spot.settings.0.iter().chain(&spot.own.0);
            beside.for_each(&mut note);
            for (name, value) in spot.address.parameters() {
                note(&Said::untyped(name, value, &Origin::Url));
            }
        }
    }
    names
}

fn meaningless(file: &File, variable: &Variable<'_>) -> Result<Advice> {
    let of_default = std::iter::once("OFF".to_owned()).chain(settings().map(capitals));
    let of_named = file.caches.iter().flat_map(|(name, _)| {
        let name = capitals(&name.text);
        settings().map(move |setting| format!("{name}_{}", capitals(setting)))
    });
    let others = OTHERS.into_iter().map(str::to_owned);
    let known: Vec<String> = of_default.chain(of_named).chain(others).collect();
    let short = variable.rest.len() <= 64;
    let nearest = suggest::nearest(variable.rest, known.iter().map(String::as_str));
    match nearest.filter(|_| short) {
        Some(nearest) => Err(variable.at.fault(format!(
            "this variable means nothing (did you mean `{PREFIX}{nearest}`?)"
        ))),
        None => Ok(Advice::unknown_variable(&variable.at)),
    }
}
