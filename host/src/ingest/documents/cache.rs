//! Which documents of a place are kept and for how long. Pure: time is a parameter.

use std::collections::HashMap;
use std::time::Duration;

use super::Unmet;
use crate::model::Millis;
use crate::verify::{Document, Want};

/// Documents that are kept, and failures that are remembered: each table so many.
pub(super) const MAX_ENTRIES: usize = 256;

/// So long a failure is the answer, so that strangers cannot make the gateway ask again
/// with every request.
pub(super) const FAILED_FOR: Duration = Duration::from_secs(5);

/// What was fetched, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Cache {
    kept: HashMap<String, Kept>,
    failed: HashMap<String, (Unmet, Millis)>,
}

#[derive(Debug)]
struct Kept {
    document: Document,
    /// Whether a request was proven with a document of that name.
    is_proven: bool,
}

impl Cache {
    /// What is known of a want at `now`; nothing where it has to be fetched.
    pub(super) fn find(&self, key: &str, want: &Want, now: Millis) -> Option<Result<Document, Unmet>> {
        let is_young = |since: Millis, span: Duration| since <= now && now < since.after(span);
        let is_good = |document: &&Document| {
            is_young(document.fetched, want.keep)
                && want.not_before.is_none_or(|not_before| document.fetched >= not_before)
        };
        if let Some(document) = self.kept.get(key).map(|kept| &kept.document).filter(is_good) {
            return Some(Ok(document.clone()));
        }
        let (error, _) = self.failed.get(key).filter(|(_, at)| is_young(*at, FAILED_FOR))?;
        Some(Err(error.clone()))
    }

    /// Whether it came before: whoever names it made nothing up, however old it is now.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.kept.contains_key(key)
    }

    /// Whether nothing ever came that is still here.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// A request was proven with it.
    pub(super) fn prove(&mut self, key: &str) {
        if let Some(kept) = self.kept.get_mut(key) {
            kept.is_proven = true;
        }
    }

    /// Takes what came of a fetch at `now`. A document goes for another one only, first one
    /// that proved nothing: strangers may find more names of a document than it has.
    pub(super) fn take(&mut self, key: &str, came: &Result<Document, Unmet>, now: Millis) {
        match came {
            Ok(document) => {
                self.failed.remove(key);
                let is_proven = self.kept.get(key).is_some_and(|kept| kept.is_proven);
                make_room(&mut self.kept, key, |kept| (kept.is_proven, kept.document.fetched));
                self.kept.insert(key.to_owned(), Kept { document: document.clone(), is_proven });
            }
            Err(error) => {
                make_room(&mut self.failed, key, |(_, at)| *at);
                self.failed.insert(key.to_owned(), (error.clone(), now));
            }
        }
    }
}

/// The first in that order goes where there is no room for one more.
fn make_room<T, O: Ord>(table: &mut HashMap<String, T>, key: &str, order: impl Fn(&T) -> O) {
    if table.len() < MAX_ENTRIES || table.contains_key(key) {
        return;
    }
    let first = table.iter().min_by_key(|(_, entry)| order(entry)).map(|(key, _)| key.clone());
    first.map(|first| table.remove(&first));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::FetchError;
    use crate::verify::Fetch;

    const HOUR: Duration = Duration::from_hours(1);

    fn want(not_before: Option<i64>) -> Want {
        let fetch = Fetch::get("https://keys.example/");
        let not_before = not_before.map(Millis);
        Want { name: "k".to_owned(), fetch, not_before, names_key: true, keep: HOUR, is_usable: |_| true }
    }

    fn document(fetched: i64) -> Document {
        Document { body: "key".into(), fetched: Millis(fetched) }
    }

    #[test]
    fn documents_are_kept_as_long_as_they_may_be() {
        let mut cache = Cache::default();
        cache.take("k", &Ok(document(1000)), Millis(1000));
        for (now, not_before, expected) in [
            (1000, None, true),
            (1000 + 3_599_999, None, true),
            (1000 + 3_600_000, None, false),
            // The clock was set back: nobody knows how old it is.
            (999, None, false),
            (2000, Some(1000), true),
            (2000, Some(1001), false),
        ] {
            let found = cache.find("k", &want(not_before), Millis(now));
            assert_eq!(found.is_some(), expected, "{now} {not_before:?}");
        }
        assert_eq!(cache.find("other", &want(None), Millis(1000)), None);
    }

    #[test]
    fn failures_are_remembered_for_a_moment_and_hide_no_document() {
        let mut cache = Cache::default();
        let refused = Err(FetchError::Refused(404).into());
        cache.take("k", &refused, Millis(1000));
        assert_eq!(cache.find("k", &want(None), Millis(1000)), Some(refused.clone()));
        assert_eq!(cache.find("k", &want(None), Millis(5999)), Some(refused.clone()));
        assert_eq!(cache.find("k", &want(None), Millis(6000)), None);
        assert_eq!(cache.find("k", &want(None), Millis(999)), None);
        cache.take("k", &Ok(document(6000)), Millis(6000));
        cache.take("k", &refused, Millis(7000));
        assert_eq!(cache.find("k", &want(None), Millis(7000)), Some(Ok(document(6000))));
        assert_eq!(cache.find("k", &want(Some(6001)), Millis(7000)), Some(refused));
    }

    #[test]
    fn the_oldest_goes() {
        let mut cache = Cache::default();
        let (most, now) = (i64::try_from(MAX_ENTRIES).unwrap(), Millis(1_000_000));
        for at in 0..=most {
            cache.take(&format!("d{at}"), &Ok(document(at)), Millis(at));
            cache.take(&format!("f{at}"), &Err(FetchError::Refused(404).into()), Millis(at));
        }
        assert_eq!((cache.kept.len(), cache.failed.len()), (MAX_ENTRIES, MAX_ENTRIES));
        let is_kept = |at: i64| cache.find(&format!("d{at}"), &want(None), now).is_some();
        assert_eq!((is_kept(0), is_kept(1), is_kept(most)), (false, true, true));
        // One that is there already takes no room.
        cache.take("d1", &Ok(document(500)), now);
        assert_eq!(cache.kept.len(), MAX_ENTRIES);
        assert!(cache.find("d2", &want(None), now).is_some());
    }

    #[test]
    fn what_proved_a_request_goes_last() {
        let mut cache = Cache::default();
        let most = i64::try_from(MAX_ENTRIES).unwrap();
        for at in 0..most {
            cache.take(&format!("d{at}"), &Ok(document(at)), Millis(at));
        }
        cache.prove("d0");
        cache.prove("never came");
        // What came again has not lost what it proved.
        cache.take("d0", &Ok(document(0)), Millis(0));
        for at in most..2 * most {
            cache.take(&format!("d{at}"), &Ok(document(at)), Millis(at));
        }
        assert!(cache.knows("d0"));
        assert!(!cache.knows("d1"));
        assert!(!cache.knows(&format!("d{most}")));
        assert_eq!(cache.kept.len(), MAX_ENTRIES);
    }
}
