//! Tags that a reader did not ask for: known to the entry only.

use std::collections::BTreeMap;
use std::time::Duration;

use super::head::translate_versions;
use super::{Head, Life, Store};

/// For a version that is only asked for.
pub(crate) const SHORTLY: Life = Some(Duration::from_secs(60));

/// Gives the tags of an entry that were not asked for their versions in the store whose versions are told, where they stand in the store that holds it. The others keep what they have.
///
/// A reader compares them with [`Store::tag_versions`]: that knows no key, so it has to speak of one store.
pub(crate) async fn translate_late(
    bytes: &mut [u8],
    asked: &[&str],
    holder: &dyn Store,
    told: &dyn Store,
) {
    let Some((head, _)) = Head::parse(bytes) else {
        return;
    };
    let names = head.tags().iter().map(|tag| &*tag.name);
    let late: Vec<&str> = names.filter(|tag| !asked.contains(tag)).collect();
    if late.is_empty() {
        return;
    }
    // First what is told: forgetting goes to the holder first, so what stands there afterwards stood for the version that was told.
    let (mut from, mut to) = (BTreeMap::new(), BTreeMap::new());
    for (store, versions) in [(told, &mut to), (holder, &mut from)] {
        // A store that does not answer knows of none.
        if let Ok(told) = store.tag_versions(&late, SHORTLY).await {
            versions.extend(late.iter().copied().zip(told.versions));
        }
    }
    for tag in head.tags() {
        if asked.contains(&&*tag.name) {
            from.insert(&tag.name, tag.version);
            to.insert(&tag.name, tag.version);
        }
    }
    translate_versions(bytes, &from, &to);
}
