//! Counts by key template: of the functions that a cache has seen, and of direct operations.

use std::collections::{BTreeMap, HashMap};

use parking_lot::RwLock;

use super::{Counter, Counters, Site, Stats};
use crate::key::Template;

/// What a cache counts by template.
///
/// Functions count for themselves, on every call; here it is only noted which ones there are, when they miss. So there are at most as many of them as
/// the program has functions, and at most as many counters for direct operations as the builder was given templates.
#[derive(Debug)]
pub(crate) struct Templates {
    /// By address.
    functions: RwLock<HashMap<usize, &'static Site>>,
    direct: Vec<(Template, Counters)>,
    /// Direct operations on keys of no template.
    plain: Counters,
}

impl Templates {
    /// With these templates for direct operations.
    pub(crate) fn new(templates: Vec<Template>) -> Self {
        let counted = |template| (template, Counters::new());
        Self {
            functions: RwLock::default(),
            direct: templates.into_iter().map(counted).collect(),
            plain: Counters::new(),
        }
    }

    /// Notes a function that this cache keeps entries of.
    pub(crate) fn note(&self, site: &'static Site) {
        let address = std::ptr::from_ref(site) as usize;
        if site.is_function() && !self.functions.read().contains_key(&address) {
            self.functions.write().insert(address, site);
        }
    }

    /// Whether the key decides where a direct operation is counted.
    #[inline]
    pub(crate) fn ask_for_keys(&self) -> bool {
        !self.direct.is_empty()
    }

    /// Counts a direct operation on a key, which is asked for only if there are templates.
    pub(crate) fn count(&self, key: &str, counter: Counter, n: u64) {
        let own = self
            .direct
            .iter()
            .find(|(template, _)| template.matches(key));
        let counters = own.map_or(&self.plain, |(_, counters)| counters);
        counters.add(counter, n);
    }

    pub(crate) fn read(&self) -> Vec<TemplateStats> {
        let mut rows: BTreeMap<(String, &str), TemplateStats> = BTreeMap::new();
        let mut add = |template: &str, function: Option<&'static str>, stats: Stats| {
            // Keys that are made of all arguments have no template in common.
            let own = function.filter(|_| template.is_empty()).unwrap_or("");
            let row = rows
                .entry((template.to_owned(), own))
                .or_insert_with(|| TemplateStats {
                    template: template.to_owned(),
                    functions: Vec::new(),
                    stats: Stats::default(),
                });
            row.stats = row.stats.and(&stats);
            row.functions.extend(function);
        };
        let plain = self.plain.read();
        if plain != Stats::default() {
            add("", None, plain);
        }
        for (template, counters) in &self.direct {
            add(template.text(), None, counters.read());
        }
        for site in self.functions.read().values() {
            add(site.template, Some(site.path), site.counters.read());
        }
        rows.into_values()
            .map(|mut row| {
                row.functions.sort_unstable();
                row.functions.dedup();
                row
            })
            .collect()
    }
}

/// Counts of all keys of one template.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TemplateStats {
    /// The template as it is written. Empty for keys that are made of all arguments of a function, and for direct operations on keys of no template.
    pub template: String,
    /// The cached functions whose keys these are, by path; none for direct operations.
    pub functions: Vec<&'static str>,
    /// The counts. `evicted`, `expired`, `invalidated` and `refused` belong to caches and are 0 here.
    pub stats: Stats,
}

impl std::ops::Deref for TemplateStats {
    type Target = Stats;

    fn deref(&self) -> &Stats {
        &self.stats
    }
}
