//! A store that is right but for one thing.

use std::sync::Arc;
use std::time::Duration;

use larder::Result;
use larder::conformance::{Expect, Power, Subject};
use larder::runtime::BoxFuture;
use larder::store::*;
use larder::testing::MemoryStore;

use crate::stores::Memory;

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    FillIgnoresTheToken,
    FillTakesTokensOfOthers,
    PrefixForgetsLeases,
    PrefixIsAPattern,
    PrefixOfNothingTakesAll,
    PatternIsAPrefix,
    LifeIsIgnored,
    LifeIsRoundedDown,
    LifeOfAFillIsIgnored,
    AnswersAreReversed,
    WritesAreReversed,
    ConditionIsIgnored,
    FailedConditionEndsLeases,
    KeysAreCut,
    KeysAreFolded,
    EmptyIsMissing,
    StaleGetsNoLease,
    LeaseNeverEnds,
    ReadsMakeVersions,
    ForgettingDoesNothing,
    EpochStands,
    VersionIsShared,
    RemainingIsForEver,
    TouchLosesTheBody,
    TouchKeepsTheLife,
    ScanLosesKeys,
    ScanIgnoresThePattern,
    ScanIsSilent,
    CounterRenewsItsLife,
    CounterWraps,
    CounterEndsNoLease,
    LockHasNoOwner,
    FenceStands,
    WindowCountsTheRefused,
    BanIsIgnored,
    BanIsProlonged,
    BitsAreAllNew,
    BitsAreShifted,
    BitsRenewTheirLife,
    BitsStay,
    FixedWindowSlides,
    GcraIsFixed,
    SlidingWindowIsFixed,
    WindowsOfAllKindsMeet,
    InvalidationsAreSilent,
    CloseDoesNothing,
    RemovalCountsQuestions,
}

use Wrong::*;

impl Wrong {
    /// Each, and a case that has to find it.
    pub(crate) const ALL: &[(Self, &str)] = &[
        (FillIgnoresTheToken, "leases::a_fill_needs_its_lease"),
        (FillTakesTokensOfOthers, "leases::a_token_fits_one_key"),
        (PrefixForgetsLeases, "ended::by_a_removal_by_prefix"),
        (PrefixIsAPattern, "removing::a_prefix_is_taken_literally"),
        (
            PrefixOfNothingTakesAll,
            "removing::everything_of_this_name_space",
        ),
        (
            PatternIsAPrefix,
            "removing::the_prefix_of_a_pattern_is_taken_literally",
        ),
        (
            LifeIsIgnored,
            "lives::an_entry_past_its_life_is_gone_for_every_operation",
        ),
        (
            LifeIsRoundedDown,
            "lives::lives_may_be_shorter_than_a_second",
        ),
        (LifeOfAFillIsIgnored, "lives::a_fill_gives_a_life"),
        (
            AnswersAreReversed,
            "reading::answers_stand_in_the_order_of_the_questions",
        ),
        (WritesAreReversed, "reading::a_batch_may_name_a_key_twice"),
        (ConditionIsIgnored, "conditions::absent_holds_once"),
        (
            FailedConditionEndsLeases,
            "ended::not_by_a_condition_that_fails",
        ),
        (KeysAreCut, "keys::long_keys_that_begin_alike_stay_apart"),
        (KeysAreFolded, "keys::odd_keys_are_keys_like_others"),
        (EmptyIsMissing, "reading::bytes_come_back_exactly"),
        (
            StaleGetsNoLease,
            "leases::an_entry_that_is_stale_comes_with_a_lease",
        ),
        (LeaseNeverEnds, "leases::a_lease_has_an_end_of_its_own"),
        (ReadsMakeVersions, "tags::a_plain_read_makes_no_versions"),
        (
            ForgettingDoesNothing,
            "tags::forgetting_changes_the_version",
        ),
        (EpochStands, "tags::forgetting_moves_the_epoch"),
        (VersionIsShared, "tags::a_version_is_made_once"),
        (RemainingIsForEver, "lives::what_remains_is_told"),
        (TouchLosesTheBody, "touching::a_new_head_leaves_the_body"),
        (TouchKeepsTheLife, "touching::a_new_head_leaves_the_body"),
        (ScanLosesKeys, "scanning::every_key_is_told"),
        (
            ScanIgnoresThePattern,
            "scanning::prefixes_and_patterns_hold",
        ),
        (ScanIsSilent, "removing::what_is_unsupported_says_so"),
        (
            CounterRenewsItsLife,
            "counting::the_first_addition_gives_the_life",
        ),
        (CounterWraps, "counting::sums_out_of_range_change_nothing"),
        (CounterEndsNoLease, "ended::by_an_addition"),
        (
            LockHasNoOwner,
            "locking::only_the_owner_renews_and_releases",
        ),
        (FenceStands, "locking::fences_grow"),
        (WindowCountsTheRefused, "windowing::as_many_as_the_limit"),
        (BitsAreShifted, "bits::a_bit_that_was_set_is_set"),
        (BitsAreAllNew, "bits::new_bits_are_counted"),
        (BitsRenewTheirLife, "bits::the_first_bits_give_the_life"),
        (BitsStay, "bits::a_cleared_row_is_empty"),
        (
            FixedWindowSlides,
            "windowing::a_fixed_window_begins_with_its_first_call",
        ),
        (SlidingWindowIsFixed, "windowing::a_window_slides"),
        (GcraIsFixed, "windowing::gcra_gives_one_back_at_a_time"),
        (
            WindowsOfAllKindsMeet,
            "windowing::windows_and_keys_do_not_meet",
        ),
        (BanIsIgnored, "windowing::a_ban_keeps_a_key_out"),
        (BanIsProlonged, "windowing::a_ban_keeps_a_key_out"),
        (
            InvalidationsAreSilent,
            "invalidating::what_others_change_is_told",
        ),
        (CloseDoesNothing, "standing::a_closed_store_fails"),
        (RemovalCountsQuestions, "removing::these_keys_and_no_others"),
    ];
}

pub(crate) struct Mutants(pub(crate) Memory, pub(crate) Wrong);

impl Subject for Mutants {
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Arc<dyn Store>>> {
        let store: Arc<dyn Store> = Arc::new(Mutant {
            right: self.0.place.within(prefix),
            root: self.0.place.within(""),
            wrong: self.1,
        });
        Box::pin(async move { Ok(store) })
    }

    fn wait(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.0.wait(time)
    }

    fn now(&self) -> u64 {
        self.0.now()
    }

    fn expect(&self) -> Expect {
        match self.1 {
            ScanIsSilent => Expect::everything().unsupported(Power::Scan),
            _ => Expect::everything(),
        }
    }
}

#[derive(Debug)]
struct Mutant {
    right: MemoryStore,
    root: MemoryStore,
    wrong: Wrong,
}

impl Mutant {
    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == wrong
    }

    fn key(&self, key: &str) -> String {
        match self.wrong {
            KeysAreCut => key.chars().take(250).collect(),
            KeysAreFolded => key.to_lowercase(),
            _ => key.to_owned(),
        }
    }

    fn life(&self, life: Life) -> Life {
        match self.wrong {
            LifeIsIgnored => None,
            // Whole seconds, and none of them is for ever.
            LifeIsRoundedDown => life.and_then(|life| match life.as_secs() {
                0 => None,
                seconds => Some(Duration::from_secs(seconds)),
            }),
            _ => life,
        }
    }

    async fn bytes(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let read = Read {
            key,
            ask: Ask::Entry,
            tags: &[],
            lease: Duration::ZERO,
            life: None,
            now: 0,
        };
        Ok(self
            .right
            .read(&[read])
            .await?
            .pop()
            .and_then(|found| found.bytes))
    }

    async fn life_of(&self, key: &str) -> Result<Life> {
        Ok(self
            .right
            .remaining(&[key])
            .await?
            .pop()
            .flatten()
            .flatten())
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let scan = Scan {
            prefix,
            pattern: "*",
            cursor: None,
            limit: usize::MAX,
        };
        Ok(self.right.scan(&scan).await?.keys)
    }
}

impl Store for Mutant {
    fn name(&self) -> &str {
        "mutant"
    }

    fn lease_level(&self) -> LeaseLevel {
        LeaseLevel::Atomic
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        Box::pin(async move {
            let keys: Vec<String> = reads.iter().map(|read| self.key(read.key)).collect();
            let mut asked = reads.to_vec();
            for (read, key) in asked.iter_mut().zip(&keys) {
                read.key = key;
                if self.is(LeaseNeverEnds) {
                    read.lease = Duration::from_secs(1_000_000);
                }
                if self.is(ReadsMakeVersions) {
                    self.right.tag_versions(read.tags, None).await?;
                }
                let there = self.bytes(key).await?.is_some();
                if self.is(StaleGetsNoLease) && read.ask == Ask::EntryOrLease && there {
                    read.ask = Ask::Entry;
                }
            }
            let mut found = self.right.read(&asked).await?;
            for found in &mut found {
                if self.is(EmptyIsMissing) {
                    found.bytes.take_if(|bytes| bytes.is_empty());
                }
                if self.is(EpochStands) {
                    found.epoch = 1;
                }
                if self.is(FillTakesTokensOfOthers) && found.lease.is_some() {
                    found.lease = Some(Token::new(*b"anybody's"));
                }
            }
            if self.is(AnswersAreReversed) {
                found.reverse();
            }
            Ok(found)
        })
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(async move {
            let mut filled = Vec::new();
            for fill in fills {
                let key = self.key(fill.key);
                let life = match self.wrong {
                    LifeOfAFillIsIgnored => None,
                    _ => self.life(fill.life),
                };
                let anybodys =
                    self.is(FillTakesTokensOfOthers) && fill.lease.as_bytes() == b"anybody's";
                filled.push(if self.is(FillIgnoresTheToken) || anybodys {
                    let write = Write {
                        key: &key,
                        bytes: fill.bytes,
                        life,
                        condition: Condition::Always,
                    };
                    self.right.write(&[write]).await?[0]
                } else {
                    let fill = Fill {
                        key: &key,
                        life,
                        ..*fill
                    };
                    self.right.fill(&[fill]).await?[0]
                });
            }
            Ok(filled)
        })
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(async move {
            let mut order: Vec<usize> = (0..writes.len()).collect();
            if self.is(WritesAreReversed) {
                order.reverse();
            }
            let mut written = vec![false; writes.len()];
            for at in order {
                let (write, key) = (writes[at], self.key(writes[at].key));
                let condition = match self.wrong {
                    ConditionIsIgnored => Condition::Always,
                    _ => write.condition,
                };
                let life = self.life(write.life);
                let right = Write {
                    key: &key,
                    life,
                    condition,
                    ..write
                };
                written[at] = self.right.write(&[right]).await?[0];
                if !written[at] && self.is(FailedConditionEndsLeases) {
                    match self.bytes(&key).await? {
                        Some(bytes) => {
                            let life = self.life_of(&key).await?;
                            let again = Write {
                                bytes: &bytes,
                                life,
                                condition: Condition::Always,
                                ..right
                            };
                            self.right.write(&[again]).await?;
                        }
                        None => drop(self.right.remove(&Removal::Keys(&[&key])).await?),
                    }
                }
            }
            Ok(written)
        })
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let key = self.key(touch.key);
            let life = match self.wrong {
                TouchKeepsTheLife => self.life_of(&key).await?,
                _ => self.life(touch.life),
            };
            let right = Touch {
                key: &key,
                life,
                ..*touch
            };
            let touched = self.right.touch(&right).await?;
            if touched && self.is(TouchLosesTheBody) {
                let fill = Fill {
                    key: &key,
                    bytes: touch.head,
                    life,
                    lease: touch.lease,
                };
                self.right.fill(&[fill]).await?;
            }
            Ok(touched)
        })
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        Box::pin(async move {
            let keys: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let left = self.right.remaining(&keys).await?;
            Ok(match self.wrong {
                RemainingIsForEver => left.into_iter().map(|left| left.map(|_| None)).collect(),
                _ => left,
            })
        })
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        Box::pin(async move {
            match (*removal, self.wrong) {
                (Removal::Keys(keys), _) => {
                    let folded: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
                    let folded: Vec<&str> = folded.iter().map(String::as_str).collect();
                    let removed = self.right.remove(&Removal::Keys(&folded)).await?;
                    Ok(match self.wrong {
                        RemovalCountsQuestions => keys.len() as u64,
                        _ => removed,
                    })
                }
                (Removal::Prefix(prefix), PrefixForgetsLeases) => {
                    let keys = self.keys(prefix).await?;
                    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                    self.right.remove(&Removal::Keys(&keys)).await
                }
                (Removal::Prefix(prefix), PrefixIsAPattern) => {
                    let pattern = &format!("{prefix}*");
                    self.right
                        .remove(&Removal::Pattern {
                            prefix: "",
                            pattern,
                        })
                        .await
                }
                (Removal::Prefix(prefix), PrefixOfNothingTakesAll) => {
                    self.root.remove(&Removal::Prefix(prefix)).await
                }
                (Removal::Pattern { prefix, pattern }, PatternIsAPrefix) => {
                    let pattern = &format!("{prefix}{pattern}");
                    self.right
                        .remove(&Removal::Pattern {
                            prefix: "",
                            pattern,
                        })
                        .await
                }
                _ => self.right.remove(removal).await,
            }
        })
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        Box::pin(async move {
            let mut told = self.right.tag_versions(tags, life).await?;
            if self.is(EpochStands) {
                told.epoch = 1;
            }
            if self.is(VersionIsShared) {
                told.versions.fill(7);
            }
            Ok(told)
        })
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        match self.wrong {
            ForgettingDoesNothing => self.ping(),
            _ => self.right.forget_tags(tags),
        }
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        Box::pin(async move {
            let pattern = match self.wrong {
                ScanIgnoresThePattern => "*",
                _ => scan.pattern,
            };
            let mut page = self.right.scan(&Scan { pattern, ..*scan }).await?;
            if self.is(ScanLosesKeys) && scan.cursor.is_some() {
                page.keys.pop();
            }
            match self.wrong {
                ScanIsSilent => Ok(Page::default()),
                _ => Ok(page),
            }
        })
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.right.ping()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        match self.wrong {
            CloseDoesNothing => self.right.ping(),
            _ => self.right.close(),
        }
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        Some(self)
    }

    fn windows(&self) -> Option<&dyn Windows> {
        Some(self)
    }

    fn bits(&self) -> Option<&dyn Bits> {
        Some(self)
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        Some(self)
    }
}

impl Counters for Mutant {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        Box::pin(async move {
            let before = self.bytes(key).await?;
            let before =
                before.and_then(|bytes| String::from_utf8(bytes).ok()?.parse::<i64>().ok());
            match self.wrong {
                CounterWraps if before.is_some_and(|before| before.checked_add(by).is_none()) => {
                    self.right.remove(&Removal::Keys(&[key])).await?;
                }
                CounterEndsNoLease => {
                    let tags: &[&str] = &[];
                    let lease = Duration::from_secs(60);
                    let read = Read {
                        key,
                        ask: Ask::EntryAndLease,
                        tags,
                        lease,
                        life,
                        now: 0,
                    };
                    let lease = self.right.read(&[read]).await?.remove(0).lease.unwrap();
                    let sum = before.unwrap_or(0).saturating_add(by);
                    let bytes = sum.to_string();
                    self.right
                        .fill(&[Fill {
                            key,
                            bytes: bytes.as_bytes(),
                            life,
                            lease: &lease,
                        }])
                        .await?;
                    return Ok(sum);
                }
                _ => {}
            }
            let sum = self.right.counters().unwrap().add(key, by, life).await?;
            if self.is(CounterRenewsItsLife) {
                let condition = Condition::Always;
                let bytes = sum.to_string();
                self.right
                    .write(&[Write {
                        key,
                        bytes: bytes.as_bytes(),
                        life,
                        condition,
                    }])
                    .await?;
            }
            Ok(sum)
        })
    }
}

impl Mutant {
    fn owner<'a>(&self, owner: &'a str) -> &'a str {
        if self.is(LockHasNoOwner) {
            "anybody"
        } else {
            owner
        }
    }

    fn right_locks(&self) -> &dyn Locks {
        self.right.locks().unwrap()
    }
}

impl Locks for Mutant {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        Box::pin(async move {
            let acquired = self.right_locks().acquire(name, owner, ttl).await?;
            Ok(match acquired {
                Acquired::Held { .. } if self.is(FenceStands) => Acquired::Held { fence: 1 },
                other => other,
            })
        })
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        if self.is(LockHasNoOwner) {
            return Box::pin(async move { Ok(self.right_locks().held(name).await?.is_some()) });
        }
        self.right_locks().renew(name, owner, ttl)
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        self.right_locks().release(name, self.owner(owner))
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        self.right_locks().held(name)
    }
}

impl Windows for Mutant {
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission> {
        Box::pin(async move {
            let windows = self.right.windows().unwrap();
            let kind = match (self.wrong, quota.window) {
                (FixedWindowSlides, Window::Fixed) => Window::Sliding,
                (SlidingWindowIsFixed, Window::Sliding) | (GcraIsFixed, Window::Gcra) => {
                    Window::Fixed
                }
                (WindowsOfAllKindsMeet, _) => Window::Gcra,
                (_, kind) => kind,
            };
            let mut asked = quota.window(kind);
            if self.is(WindowCountsTheRefused) {
                asked.limit = u64::MAX;
            }
            if self.is(BanIsIgnored) {
                asked.ban = None;
            }
            let mut admission = windows.admit(key, &asked).await?;
            if self.is(WindowCountsTheRefused) {
                admission.admitted = admission.used <= quota.limit;
                admission.retry_after = quota.per;
            }
            if self.is(BanIsProlonged) && admission.banned {
                admission.retry_after = quota.ban.unwrap_or_default();
            }
            Ok(admission)
        })
    }
}

impl Mutant {
    fn right_bits(&self) -> &dyn Bits {
        self.right.bits().unwrap()
    }
}

impl Bits for Mutant {
    fn set<'a>(&'a self, key: &'a str, positions: &'a [u32], life: Life) -> StoreFuture<'a, u64> {
        Box::pin(async move {
            let mut all = positions.to_vec();
            if self.is(BitsAreShifted) {
                all.extend(positions.iter().map(|at| at | 1));
            }
            if self.is(BitsRenewTheirLife) {
                for at in 0..10 {
                    if self.right_bits().test(key, &[at]).await?[0] {
                        all.push(at);
                    }
                }
                self.right_bits().clear(key).await?;
            }
            let new = self.right_bits().set(key, &all, life).await?;
            Ok(match self.wrong {
                BitsAreAllNew => positions.len() as u64,
                _ => new,
            })
        })
    }

    fn test<'a>(&'a self, key: &'a str, positions: &'a [u32]) -> StoreFuture<'a, Vec<bool>> {
        self.right_bits().test(key, positions)
    }

    fn clear<'a>(&'a self, key: &'a str) -> StoreFuture<'a, bool> {
        match self.wrong {
            BitsStay => Box::pin(async move { Ok(self.right_bits().test(key, &[7]).await?[0]) }),
            _ => self.right_bits().clear(key),
        }
    }
}

impl Invalidations for Mutant {
    fn subscribe(&self, sink: Arc<dyn Sink>) -> StoreFuture<'_, ()> {
        match self.wrong {
            InvalidationsAreSilent => self.right.ping(),
            _ => self.right.invalidations().unwrap().subscribe(sink),
        }
    }
}
