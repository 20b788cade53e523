//! One cache as it was said, before anything is read: settings, levels and routes, each with its place.

use super::knobs::{self, is_of_cache, is_of_level, of_memory};
use super::node::{LARGEST, Name};
use super::origin::Origin;
use super::said::{Said, Settings};
use crate::error::Result;
use crate::store::{Address, opener};

/// One cache as it was said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// What concerns the whole cache, and limits for all its levels.
    pub(crate) settings: Settings,
    /// Where `memory://` was said.
    pub(crate) memory: Option<Origin>,
    /// Where `off://` was said.
    pub(crate) off: Option<Origin>,
    /// From near to far.
    pub(crate) levels: Vec<Spot>,
    pub(crate) routes: Vec<(Name, Vec<Spot>)>,
}

/// One level as it was said.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// With the parameters that only its store knows.
    pub(crate) address: Address,
    pub(crate) at: Origin,
    /// Limits and what concerns this level only.
    pub(crate) settings: Settings,
    /// Parameters of the store that did not stand in the URL.
    pub(crate) own: Settings,
}

/// Takes apart URLs that are set apart by white space.
pub(crate) fn chain(text: &str, at: &Origin) -> Result<Vec<Address>> {
    if text.len() > LARGEST {
        return Err(at.fault("this is longer than URLs can be"));
    }
    let mut addresses = Vec::new();
    for url in text.split_ascii_whitespace() {
        // Not shown: it may be a piece of a password with a space in it.
        if !addresses.is_empty() && !url.contains("://") {
            return Err(at.fault(
                "the URLs of a chain are set apart by spaces, and one of them is no URL: write a space within a URL as `%20`",
            ));
        }
        addresses.push(Address::parse(url).map_err(|error| at.place(error))?);
    }
    if addresses.is_empty() {
        addresses.push(Address::parse("").map_err(|error| at.place(error))?);
    }
    Ok(addresses)
}

impl Draft {
    /// What URLs say, from near to far.
    pub(crate) fn of_urls(text: &str, at: &Origin) -> Result<Self> {
        let mut draft = Self::default();
        for address in chain(text, at)? {
            draft.add(address, at)?;
        }
        draft.check_off()?;
        Ok(draft)
    }

    /// Adds what one URL says, as the farthest level so far.
    pub(crate) fn add(&mut self, mut address: Address, at: &Origin) -> Result<()> {
        let scheme = address.scheme().to_owned();
        if let Some(message) = address
            .parameters()
            .find_map(|(name, _)| knobs::secret(name))
        {
            return Err(at.fault(message));
        }
        if address.parameters().any(|(name, _)| name == "name") && *at != Origin::Url {
            return Err(
                at.fault("`name` stands in no URL here: the key or the variable names the cache")
            );
        }
        if scheme == "memory" || scheme == "off" {
            return self.add_near(&scheme, &mut address, at);
        }
        opener(&scheme).map_err(|error| at.place(error))?;
        for (name, value) in address.extract(|name| is_of_cache(name) || name == "name") {
            self.settings.add(Said::untyped(&name, &value, at))?;
        }
        self.levels.push(Spot::new(address, at)?);
        Ok(())
    }

    fn add_near(&mut self, scheme: &str, address: &mut Address, at: &Origin) -> Result<()> {
        if !address.place().is_empty() {
            let place = address.place();
            return Err(at.fault(format!("`{scheme}://` names no place: leave out `{place}`")));
        }
        if scheme == "memory" && (!self.levels.is_empty() || self.memory.is_some()) {
            return Err(at.fault("`memory://` comes first, and once: nothing is nearer"));
        }
        let known = knobs::memory_names();
        for (name, value) in address.extract(|_| true) {
            if !known.contains(&name.as_str()) {
                let listed =
                    knobs::names_of(&["size", "weight", "ttl_cap", "name", "background_loads"]);
                return Err(at.fault(knobs::unknown("parameter", &name, &known, &listed)));
            }
            let long = of_memory(&name).unwrap_or(&name);
            let said = Said::untyped(&name, &value, at).called(long);
            self.settings.add(said)?;
        }
        match scheme {
            "off" => self.off = Some(at.clone()),
            _ => self.memory = Some(at.clone()),
        }
        Ok(())
    }

    pub(crate) fn check_off(&self) -> Result<()> {
        match &self.off {
            Some(at) if self.memory.is_some() || !self.levels.is_empty() => Err(
                at.fault("`off://` stands alone: to keep the rest and switch it off, say `off=1`")
            ),
            _ => Ok(()),
        }
    }

    /// All levels: those of the chain and those of routes.
    pub(crate) fn spots(&mut self) -> impl Iterator<Item = &mut Spot> {
        let routes = self.routes.iter_mut().flat_map(|(_, spots)| spots);
        self.levels.iter_mut().chain(routes)
    }
}

impl Spot {
    fn new(mut address: Address, at: &Origin) -> Result<Self> {
        if address.password().is_some() && at.is_file() {
            return Err(at.fault(
                "a password does not stand in a file: write `password_env: VARIABLE` or `password_file: PATH` beside `url`",
            ));
        }
        let mut settings = Settings::default();
        for (name, value) in address.extract(is_of_level) {
            settings.add(Said::untyped(&name, &value, at))?;
        }
        Ok(Self {
            address,
            at: at.clone(),
            settings,
            own: Settings::default(),
        })
    }

    /// Adds a setting that stands beside the URL.
    pub(crate) fn add(&mut self, said: Said) -> Result<()> {
        if is_of_level(&said.name) {
            return self.settings.add(said);
        }
        if let Some(message) = knobs::secret(&said.name) {
            return Err(said.named.fault(message));
        }
        if self.address.peek(&said.name).is_some() {
            return Err(said.named.fault(format!(
                "`{}` stands in the URL too: leave one out",
                said.name
            )));
        }
        self.own.add(said)
    }
}
