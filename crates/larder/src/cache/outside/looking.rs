//! Reading from the store: what is there, whether it stands, and the right to fill.

use super::*;

fn miscounted(outside: &Outside) -> Error {
    Error::store("read", outside.store.name(), "fewer answers than questions")
}

impl Inner {
    /// Looks for an entry in the store, and takes a lease where asked. Never fails: what went wrong is told and stands in the answer.
    pub(crate) async fn look(&self, outside: &Outside, looking: Looking<'_>) -> Looked {
        let tags = self.store_tags(looking.tags);
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let reads = [looking.question(&tags, self.clock.unix_millis())];
        let found = outside.store.read(&reads).await;
        let error = match found {
            Ok(mut found) if found.len() == 1 => {
                let found = found.pop().unwrap_or_default();
                return self.judge(outside, &looking, found, None).await;
            }
            Ok(_) => miscounted(outside),
            Err(error) => error,
        };
        self.store_failed(outside, looking.key.as_str(), &error);
        Looked {
            error: Some(error),
            ..Looked::default()
        }
    }

    /// [`look`](Self::look) for several keys in one round trip.
    pub(crate) async fn look_many(
        &self,
        outside: &Outside,
        looking: &[Looking<'_>],
    ) -> Vec<Looked> {
        let tags: Vec<Vec<String>> = looking.iter().map(|l| self.store_tags(l.tags)).collect();
        let tags: Vec<Vec<&str>> = tags
            .iter()
            .map(|t| t.iter().map(String::as_str).collect())
            .collect();
        let now = self.clock.unix_millis();
        let reads: Vec<Read<'_>> = looking
            .iter()
            .zip(&tags)
            .map(|(looking, tags)| looking.question(tags, now))
            .collect();
        let found = outside.store.read(&reads).await;
        let found = match found {
            Ok(found) if found.len() == reads.len() => found,
            Ok(_) => {
                return self.failed_to_look(outside, looking, &miscounted(outside));
            }
            Err(error) => return self.failed_to_look(outside, looking, &error),
        };
        let mut looked = Vec::with_capacity(found.len());
        let mut down = None;
        for (looking, found) in looking.iter().zip(found) {
            let judged = self.judge(outside, looking, found, down.as_ref()).await;
            down = down.or_else(|| judged.error.clone().filter(is_out_of_reach));
            looked.push(judged);
        }
        looked
    }

    fn failed_to_look(
        &self,
        outside: &Outside,
        looking: &[Looking<'_>],
        error: &Error,
    ) -> Vec<Looked> {
        let key = looking.first().map_or("", |l| l.key.as_str());
        self.store_failed(outside, key, error);
        let failed = || Looked {
            error: Some(error.clone()),
            ..Looked::default()
        };
        looking.iter().map(|_| failed()).collect()
    }

    /// `down` is why the store could not be reached for an entry of the same look: it is not asked again, as each time may cost its limit.
    async fn judge(
        &self,
        outside: &Outside,
        looking: &Looking<'_>,
        found: Found,
        down: Option<&Error>,
    ) -> Looked {
        let versions = || {
            looking
                .tags
                .iter()
                .cloned()
                .zip(found.versions.iter().copied())
        };
        let lease = found.lease.map(|token| StoreLease {
            token,
            versions: versions().collect(),
            epoch: found.epoch,
            life: looking.life(),
        });
        let read = match &found.bytes {
            Some(bytes) => {
                let known = (&found.versions[..], down);
                self.read_entry(outside, looking, bytes, known).await
            }
            None => Ok(None),
        };
        let (read, error) = match read {
            Ok(read) => (read, None),
            Err(error) => (None, Some(error)),
        };
        let is_bare = read.as_ref().is_some_and(|(_, is_bare)| *is_bare);
        Looked {
            slot: read.map(|(slot, _)| slot),
            is_bare,
            // A store that has just failed is not filled: that would be one more wait.
            lease: lease.filter(|_| error.is_none()),
            error,
        }
    }

    /// An entry of these bytes, if it is readable, not over, and none of its tags was forgotten; and whether it has no head.
    ///
    /// # Errors
    /// When the store, asked for its tags, did not say.
    async fn read_entry(
        &self,
        outside: &Outside,
        looking: &Looking<'_>,
        bytes: &[u8],
        known: (&[u64], Option<&Error>),
    ) -> Result<Option<(Slot, bool)>> {
        let key = looking.key;
        let decoded = match outside.codec.decode(key.as_str(), looking.wire, bytes) {
            Ok(decoded) => decoded,
            Err(why) => {
                self.stats.add(Counter::Unreadable, 1);
                let store = outside.store.name();
                let key = key.as_str();
                self.tell(|| Event::Unreadable { key, store, why });
                return Ok(None);
            }
        };
        if let Some(head) = &decoded.head
            && !self
                .tags_stand_outside(outside, looking, head, known)
                .await?
        {
            return Ok(None);
        }
        let is_bare = decoded.head.is_none();
        let mut slot = self.restore(looking, decoded, bytes.len());
        outside.recall(key, &mut slot);
        let is_kept = slot.verdict(self.clock.now()) != Verdict::Gone;
        Ok(is_kept.then_some((slot, is_bare)))
    }

    /// Whether all tags of an entry have the versions that it was written with.
    async fn tags_stand_outside(
        &self,
        outside: &Outside,
        looking: &Looking<'_>,
        head: &Head,
        (versions, down): (&[u64], Option<&Error>),
    ) -> Result<bool> {
        let mut unknown: Vec<&Tag> = Vec::new();
        for tag in head.tags() {
            let bare = tag.name.strip_prefix(&*self.prefix);
            let at = looking
                .tags
                .iter()
                .position(|asked| Some(asked.as_str()) == bare);
            match at.and_then(|at| versions.get(at)) {
                Some(version) if *version != tag.version || *version == 0 => return Ok(false),
                Some(_) => {}
                None => unknown.push(tag),
            }
        }
        if unknown.is_empty() {
            return Ok(true);
        }
        if let Some(down) = down {
            return Err(down.clone());
        }
        // Tags that came from the value are known only to the entry: one more round trip.
        let names: Vec<&str> = unknown.iter().map(|tag| tag.name.as_str()).collect();
        let left = head
            .keep_until
            .saturating_sub(self.clock.unix_millis())
            .max(1);
        let left = (head.keep_until != u64::MAX).then(|| Duration::from_millis(left));
        match outside.store.tag_versions(&names, left).await {
            Ok(now) if now.versions.len() == unknown.len() => {
                let mut pairs = unknown.iter().zip(&now.versions);
                Ok(pairs.all(|(tag, version)| tag.version == *version && *version != 0))
            }
            Ok(_) => Ok(false),
            Err(error) => {
                self.store_failed(outside, looking.key.as_str(), &error);
                Err(error)
            }
        }
    }

    fn restore(&self, looking: &Looking<'_>, decoded: Decoded, size: usize) -> Slot {
        let mut policy = *looking.policy;
        let Some(head) = decoded.head else {
            // Without a head it has no times: it lives as long as the store keeps it, and is never promoted.
            let terms = self.terms_of(looking, Policy::new().ttl(Span(u64::MAX)), Vec::new());
            let now = self.clock.now();
            return Slot::new(decoded.value, terms, now, 0);
        };
        (policy.hits, policy.refresh_hits) = (head.hits, head.refresh_hits);
        let tags = head.tags().iter().map(|tag| self.bare_tag(tag)).collect();
        let mut terms = Terms {
            cost: Duration::from_micros(head.cost),
            ..self.terms_of(looking, policy, tags)
        };
        terms.weight = self.weigh(looking.key, &decoded.value.1, size, &terms);
        let [written, refresh_at, stale_until, keep_until] = self.clock.all_from_unix([
            head.written,
            head.refresh_at,
            head.stale_until,
            head.keep_until,
        ]);
        let restored = Restored {
            terms,
            deadlines: Deadlines {
                refresh_at: refresh_at.min(stale_until).min(keep_until),
                stale_until: stale_until.min(keep_until),
                keep_until,
            },
            written,
        };
        Slot::restored(decoded.value, restored)
    }

    fn terms_of(&self, looking: &Looking<'_>, policy: Policy, tags: Vec<Key>) -> Terms {
        Terms {
            policy,
            tags,
            as_of: looking.as_of,
            cost: Duration::ZERO,
            weight: policy.weight,
        }
    }

    /// An entry of the store without its value, and those of its tags that were forgotten.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn explain_outside(
        &self,
        outside: &Outside,
        key: &Key,
    ) -> Result<Option<(Slot, Vec<Key>)>> {
        const PLAIN: &Policy = &Policy::new();
        let wire = Wire::local::<()>();
        let looking = Looking {
            key,
            tags: &[],
            wire: &wire,
            policy: PLAIN,
            ask: Ask::Entry,
            as_of: self.tags.epoch(),
        };
        let read = Read {
            key: key.as_str(),
            ask: Ask::Entry,
            tags: &[],
            lease: Duration::ZERO,
            life: None,
            now: self.clock.unix_millis(),
        };
        let found = outside.store.read(&[read]).await?;
        let Some(bytes) = found.into_iter().next().and_then(|found| found.bytes) else {
            return Ok(None);
        };
        let head = Head::parse(&bytes).map(|(head, _)| head);
        let mut forgotten = Vec::new();
        if let Some(head) = head.as_ref().filter(|head| !head.tags().is_empty()) {
            let names: Vec<&str> = head.tags().iter().map(|tag| tag.name.as_str()).collect();
            let now = outside.store.tag_versions(&names, Some(LEASE)).await?;
            // What the store says nothing of does not stand.
            let versions = now.versions.iter().copied().chain(std::iter::repeat(0));
            let fallen = head
                .tags()
                .iter()
                .zip(versions)
                .filter(|(tag, now)| tag.version != *now || *now == 0);
            forgotten = fallen.map(|(tag, _)| self.bare_tag(tag)).collect();
        }
        let decoded = Decoded {
            head,
            value: Value::new(()),
        };
        let mut slot = self.restore(&looking, decoded, bytes.len());
        outside.recall(key, &mut slot);
        Ok(Some((slot, forgotten)))
    }

    fn bare_tag(&self, tag: &Tag) -> Key {
        Key::from(tag.name.strip_prefix(&*self.prefix).unwrap_or(&tag.name))
    }
}
