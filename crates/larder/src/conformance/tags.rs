//! Versions of tags, and the epoch.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Broken;
use super::Power;
use super::keys::ODD;
use super::trial::{FRESH, HOUR, Outcome, Trial, holds, one, same};
use crate::store::{Ask, Life, Read, Removal};

const SHORT: Duration = Duration::from_millis(300);

async fn epoch(trial: &Trial<'_>) -> Outcome<u64> {
    let epoch = trial.store.tag_versions(&[], HOUR).await?.epoch;
    holds(epoch != 0, "the epoch is 0")?;
    Ok(epoch)
}

/// What a plain read of one key tells of one tag: it makes nothing. A store that is made of several may have a version for each of them, so it is
/// compared with what is told for the same key.
async fn known(trial: &Trial<'_>, key: &str, tag: &str) -> Outcome<u64> {
    one(trial.found(key, Ask::Entry, &[tag]).await?.versions)
}

pub(super) async fn a_version_is_made_once(trial: &Trial<'_>) -> Outcome {
    let (a, b) = (trial.key("a"), trial.key("b"));
    let first = trial.versions(&[&a, &b, &a], HOUR).await?;
    same(first[0], first[2], "one tag, asked twice in a batch")?;
    holds(first[0] != first[1], "two tags have one version")?;
    let again = trial.versions(&[&b, &a], HOUR).await?;
    same(
        again,
        vec![first[1], first[0]],
        "asked again, the other way round",
    )
}

pub(super) async fn a_plain_read_makes_no_versions(trial: &Trial<'_>) -> Outcome {
    let (tag, key) = (trial.key("tag"), trial.key("key"));
    same(
        known(trial, &key, &tag).await?,
        0,
        "a version that nobody made",
    )?;
    same(
        known(trial, &key, &tag).await?,
        0,
        "a version that a read did not make",
    )?;
    trial.put(&key, b"1", HOUR).await?;
    trial.found(&key, Ask::Entry, &[&tag]).await?;
    same(
        known(trial, &key, &tag).await?,
        0,
        "a version that a hit did not make",
    )
}

pub(super) async fn a_read_with_a_lease_makes_versions(trial: &Trial<'_>) -> Outcome {
    let (a, b, key) = (trial.key("a"), trial.key("b"), trial.key("key"));
    let made = trial.found(&key, Ask::EntryOrLease, &[&b]).await?;
    let found = trial.found(&key, Ask::EntryOrLease, &[&a, &b, &a]).await?;
    holds(found.lease.is_some(), "no lease for a miss")?;
    let [first, second, third] = found.versions[..] else {
        return Err(Broken::new("not three versions for three tags"));
    };
    holds(first != 0, "a version that was made is 0")?;
    same(second, made.versions[0], "a version that was there")?;
    same(third, first, "a tag that was named twice")?;
    same(known(trial, &key, &a).await?, first, "asked afterwards")?;
    let told = epoch(trial).await?;
    same(found.epoch, told, "the epoch with a lease and without")
}

pub(super) async fn forgetting_changes_the_version(trial: &Trial<'_>) -> Outcome {
    let (tag, never) = (trial.key("tag"), trial.key("never made"));
    let key = trial.key("key");
    let before = trial.versions(&[&tag], HOUR).await?;
    let leased = trial
        .found(&key, Ask::EntryAndLease, &[&tag])
        .await?
        .versions;
    trial.store.forget_tags(&[&tag, &never, &tag]).await?;
    let between = known(trial, &key, &tag).await?;
    holds(between != leased[0], "a forgotten version is still known")?;
    let after = trial.versions(&[&tag], HOUR).await?;
    holds(after != before, "a forgotten version is made again")?;
    let after = trial
        .found(&key, Ask::EntryAndLease, &[&tag])
        .await?
        .versions;
    holds(
        after != leased,
        "a forgotten version is made again by a lease",
    )
}

pub(super) async fn forgetting_moves_the_epoch(trial: &Trial<'_>) -> Outcome {
    let tag = trial.key("tag");
    let mut seen = BTreeSet::from([epoch(trial).await?]);
    let stays = epoch(trial).await?;
    holds(seen.contains(&stays), "the epoch moves by itself")?;
    trial.put(&trial.key("a"), b"1", HOUR).await?;
    trial.remove(Removal::Keys(&[&trial.key("a")])).await?;
    same(
        epoch(trial).await?,
        stays,
        "the epoch after writing and removing",
    )?;
    for _ in 0..10 {
        trial.store.forget_tags(&[&tag]).await?;
        let now = epoch(trial).await?;
        holds(seen.insert(now), "the epoch is one that was before")?;
        let key = trial.key("key");
        let leased = trial.found(&key, Ask::EntryAndLease, &[]).await?.epoch;
        same(leased, now, "the epoch with a lease")?;
    }
    Ok(())
}

pub(super) async fn other_tags_stay(trial: &Trial<'_>) -> Outcome {
    let tags = ["tag", "tag2", "ta", "TAG", "tag:"].map(|tag| trial.key(tag));
    let tags = tags.each_ref().map(String::as_str);
    let before = trial.versions(&tags, HOUR).await?;
    trial.store.forget_tags(&tags[..1]).await?;
    let after = trial.versions(&tags, HOUR).await?;
    holds(before[0] != after[0], "the tag was not forgotten")?;
    same(&after[1..], &before[1..], "the others")
}

pub(super) async fn a_life_is_never_shortened(trial: &Trial<'_>) -> Outcome {
    let tags = ["hour", "ever", "read"].map(|tag| trial.key(tag));
    let [hour, ever, read] = tags.each_ref().map(String::as_str);
    let first = [
        trial.versions(&[hour], HOUR).await?[0],
        trial.versions(&[ever], None).await?[0],
        trial.versions(&[read], HOUR).await?[0],
    ];
    trial.versions(&[hour, ever], Some(SHORT)).await?;
    let key = trial.key("key");
    let question = Read {
        lease: Duration::from_millis(1),
        life: Some(SHORT),
        ..trial.question(&key, Ask::EntryOrLease, &[])
    };
    let asked = [read];
    one(trial
        .store
        .read(&[Read {
            tags: &asked,
            ..question
        }])
        .await?)?;
    trial.past(SHORT).await;
    let after = trial.versions(&[hour, ever, read], Some(SHORT)).await?;
    same(
        &after[..],
        &first[..],
        "versions whose lives were asked for again, shorter",
    )
}

pub(super) async fn a_life_is_made_longer(trial: &Trial<'_>) -> Outcome {
    let (hour, ever) = (trial.key("hour"), trial.key("ever"));
    let first = trial.versions(&[&hour, &ever], Some(SHORT)).await?;
    let longer = [
        trial.versions(&[&hour], HOUR).await?[0],
        trial.versions(&[&ever], None).await?[0],
    ];
    // A slow machine may have let them end: then these are the versions that must last.
    holds(first.len() == 2, "two versions for two tags")?;
    trial.past(SHORT).await;
    let after = trial.versions(&[&hour, &ever], Some(SHORT)).await?;
    same(
        &after[..],
        &longer[..],
        "versions whose lives were made longer",
    )
}

pub(super) async fn versions_outlive_the_lease_by_the_life(trial: &Trial<'_>) -> Outcome {
    let (tag, key) = (trial.key("tag"), trial.key("key"));
    let lives: [(Duration, Life); 2] = [(SHORT, HOUR), (SHORT, None)];
    for (lease, life) in lives {
        trial.store.forget_tags(&[&tag]).await?;
        let tags = [&*tag];
        let question = Read {
            lease,
            life,
            ..trial.question(&key, Ask::EntryAndLease, &tags)
        };
        let made = one(trial.store.read(&[question]).await?)?.versions;
        trial.past(lease).await;
        let after = known(trial, &key, &tag).await?;
        same(
            vec![after],
            made,
            format_args!("after the lease, with a life of {life:?}"),
        )?;
    }
    Ok(())
}

pub(super) async fn an_entry_under_a_forgotten_tag_is_dead(trial: &Trial<'_>) -> Outcome {
    let (a, b, key) = (trial.key("a"), trial.key("b"), trial.key("key"));
    let tags = [&*a, &*b];
    let found = trial.found(&key, Ask::EntryOrLease, &tags).await?;
    let lease = found
        .lease
        .ok_or_else(|| Broken::new("a miss without a lease"))?;
    let tagged = [(&*a, found.versions[0]), (&*b, found.versions[1])];
    let entry = trial.entry(FRESH, &tagged, b"body");
    same(trial.fill(&key, &entry, &lease).await?, true, "filling")?;
    let hit = trial.found(&key, Ask::EntryOrLease, &tags).await?;
    same(hit.bytes.as_deref(), Some(&*entry), "while its tags stand")?;
    same(hit.lease, None, "the lease while its tags stand")?;
    same(&hit.versions, &found.versions, "versions while they stand")?;

    trial.store.forget_tags(&[&b]).await?;
    let dead = trial.found(&key, Ask::EntryOrLease, &tags).await?;
    same(dead.versions[0], found.versions[0], "the tag that stands")?;
    holds(
        dead.versions[1] != found.versions[1],
        "the tag that was forgotten",
    )?;
    match dead.bytes {
        None => holds(dead.lease.is_some(), "a dead entry without a lease"),
        // A store that cannot compare leaves it to the reader, who has the versions.
        Some(bytes) => same(bytes, entry, "an entry that the reader has to judge"),
    }?;
    let blind = trial.found(&key, Ask::EntryOrLease, &[]).await?;
    let compares = blind.bytes.is_none();
    same(
        compares,
        blind.lease.is_some(),
        "a lease where the store compares by the head alone",
    )?;

    let lease = trial.lease(&key).await?;
    let entry = trial.entry(FRESH, &[(&*a, 0)], b"never alive");
    trial.fill(&key, &entry, &lease).await?;
    let found = trial.found(&key, Ask::EntryOrLease, &[&a]).await?;
    same(
        found.bytes.is_none(),
        compares,
        "an entry with a version of 0",
    )
}

/// Served while its tag stands; not once it was forgotten, by the store's judgement or by the reader's.
async fn lives_by(trial: &Trial<'_>, key: &str, tag: &str) -> Outcome {
    let version = |bytes: &[u8]| {
        let tags = crate::store::Head::parse(bytes).map(|(head, _)| head.tags);
        tags.and_then(|tags| tags.first().map(|tag| tag.version))
    };
    // Unasked, as a reader finds it that cannot know its tags: then the version is the one that is told apart from any key.
    for ask in [Ask::Entry, Ask::EntryOrLease, Ask::EntryOrLease] {
        let blind = trial.found(key, ask, &[]).await?;
        same(blind.lease, None, "the lease while its tag stands, unasked")?;
        let told = trial.versions(&[tag], HOUR).await?;
        let version = blind.bytes.as_deref().and_then(version);
        same(
            version,
            Some(told[0]),
            "the version of a tag that was not asked for",
        )?;
    }
    let read = trial.found(key, Ask::EntryOrLease, &[tag]).await?;
    let bytes = read
        .bytes
        .ok_or_else(|| Broken::new("it is dead while its tag stands"))?;
    same(read.lease, None, "the lease while its tag stands")?;
    let before = version(&bytes);
    same(before, Some(read.versions[0]), "its version and the tag's")?;
    trial.store.forget_tags(&[tag]).await?;
    let read = trial.found(key, Ask::EntryOrLease, &[tag]).await?;
    let is_dead = read.bytes.is_none() || Some(read.versions[0]) != before;
    holds(is_dead, "it is alive after its tag was forgotten")
}

pub(super) async fn a_written_entry_stands_by_its_tags(trial: &Trial<'_>) -> Outcome {
    let (tag, key) = (trial.key("tag"), trial.key("key"));
    let version = trial.versions(&[&tag], HOUR).await?[0];
    let entry = trial.entry(FRESH, &[(&*tag, version)], b"body");
    trial.put(&key, &entry, HOUR).await?;
    lives_by(trial, &key, &tag).await?;
    // Made before it was forgotten, written after.
    trial.put(&key, &entry, HOUR).await?;
    let read = trial.found(&key, Ask::EntryOrLease, &[&tag]).await?;
    let is_dead = read.bytes.is_none() || read.versions[0] != version;
    holds(
        is_dead,
        "it is alive though its tag was forgotten before it was written",
    )
}

pub(super) async fn a_tag_may_be_known_late(trial: &Trial<'_>) -> Outcome {
    let (tag, key) = (trial.key("tag"), trial.key("key"));
    let found = trial.found(&key, Ask::EntryOrLease, &[]).await?;
    let lease = found
        .lease
        .ok_or_else(|| Broken::new("a miss without a lease"))?;
    let told = trial.store.tag_versions(&[&tag], HOUR).await?;
    same(
        told.epoch,
        found.epoch,
        "the epoch, when nothing was forgotten",
    )?;
    let entry = trial.entry(FRESH, &[(&*tag, told.versions[0])], b"body");
    same(trial.fill(&key, &entry, &lease).await?, true, "filling")?;
    lives_by(trial, &key, &tag).await
}

pub(super) async fn a_tag_forgotten_while_a_value_was_made(trial: &Trial<'_>) -> Outcome {
    let (tag, key) = (trial.key("tag"), trial.key("key"));
    let found = trial.found(&key, Ask::EntryOrLease, &[&tag]).await?;
    let lease = found
        .lease
        .ok_or_else(|| Broken::new("a miss without a lease"))?;
    trial.store.forget_tags(&[&tag]).await?;
    let version = found.versions[0];
    let entry = trial.entry(FRESH, &[(&*tag, version)], b"made before");
    // Filling may succeed: what counts is that nobody takes it for alive.
    trial.fill(&key, &entry, &lease).await?;
    let read = trial.found(&key, Ask::EntryOrLease, &[&tag]).await?;
    let is_dead = read.bytes.is_none() || read.versions[0] != version;
    holds(
        is_dead,
        "a value whose tag was forgotten while it was made is alive",
    )?;
    holds(read.epoch != found.epoch, "the epoch did not move")
}

pub(super) async fn versions_never_come_again(trial: &Trial<'_>) -> Outcome {
    let tag = trial.key("tag");
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        let version = trial.versions(&[&tag], HOUR).await?[0];
        holds(seen.insert(version), "a version came again")?;
        trial.store.forget_tags(&[&tag]).await?;
    }
    Ok(())
}

pub(super) async fn tags_and_keys_do_not_meet(trial: &Trial<'_>) -> Outcome {
    let name = trial.key("name");
    let version = trial.versions(&[&name], HOUR).await?;
    trial
        .is_gone(&name, "a key that is called as a tag")
        .await?;
    trial.put(&name, b"1", HOUR).await?;
    same(
        trial.versions(&[&name], HOUR).await?,
        version.clone(),
        "a tag that is called as a key",
    )?;
    trial.remove(Removal::Keys(&[&name])).await?;
    same(
        trial.versions(&[&name], HOUR).await?,
        version,
        "after the removal of the key",
    )?;
    trial.put(&name, b"2", HOUR).await?;
    trial.store.forget_tags(&[&name]).await?;
    trial.is(&name, b"2", "after the tag was forgotten").await?;
    if !trial.lacks(Power::Counters) {
        trial.versions(&[&name], HOUR).await?;
        trial.is(&name, b"2", "after the tag was made").await?;
    }
    Ok(())
}

pub(super) async fn odd_tags_are_tags_like_others(trial: &Trial<'_>) -> Outcome {
    let mut tags: Vec<String> = ODD.iter().map(|odd| trial.key(odd)).collect();
    tags.push(trial.key(&"t".repeat(5_000)));
    tags.push(trial.key(&format!("{}u", "t".repeat(5_000))));
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let versions = trial.versions(&tags, HOUR).await?;
    let distinct: BTreeSet<u64> = versions.iter().copied().collect();
    same(distinct.len(), tags.len(), "versions that differ")?;
    same(
        trial.versions(&tags, HOUR).await?,
        versions.clone(),
        "asked again",
    )?;
    trial.store.forget_tags(&tags[1..]).await?;
    let after = trial.versions(&tags, HOUR).await?;
    same(after[0], versions[0], "the one that was not forgotten")?;
    let same_still = after.iter().zip(&versions).filter(|(a, b)| a == b).count();
    same(same_still, 1, "how many were not forgotten")
}
