//! The view of a run on its plugins' values: what its calls see of each other, and the
//! bounds.

use std::collections::HashMap;
use std::sync::Mutex;

use super::*;

const ROOM: u64 = 64 << 20;

/// What is stored, by key, for every plugin alike.
#[derive(Debug, Default)]
struct Stored {
    values: Mutex<HashMap<String, StateValue>>,
    size: u64,
    broken: bool,
}

impl StateReader for Stored {
    fn read(&self, _: &str, key: &str) -> Result<Option<StateValue>, String> {
        if self.broken { Err("told to".into()) } else { Ok(self.values.lock().unwrap().get(key).cloned()) }
    }

    fn size(&self, _: &str) -> Result<u64, String> {
        Ok(self.size)
    }
}

impl Stored {
    fn with(values: &[(&str, &str)]) -> Self {
        let value = |version, text: &str| StateValue { version, value: bytes(text) };
        let values = values.iter().zip(1..).map(|((key, text), n)| ((*key).to_owned(), value(n, text)));
        Self { values: Mutex::new(values.collect()), ..Self::default() }
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn view(stored: Stored) -> StateView {
    StateView::new(Arc::new(stored))
}

fn set(view: &mut StateView, key: &str, text: &str) -> Result<(), StateError> {
    view.set("p", key, bytes(text), None, ROOM)
}

fn get(view: &mut StateView, key: &str) -> Option<Bytes> {
    view.get("p", key).unwrap()
}

/// (key, text) of what is to be committed.
fn writes(view: StateView) -> Vec<(String, Option<Bytes>)> {
    view.into_changes().writes.into_iter().map(|write| (write.key, write.value)).collect()
}

#[test]
fn a_key_carries_the_version_of_its_first_read() {
    let stored = Arc::new(Stored::with(&[("k", "1"), ("l", "2")]));
    let mut view = StateView::new(stored.clone());
    assert_eq!(get(&mut view, "l"), Some(bytes("2")));
    stored.values.lock().unwrap().insert("l".into(), StateValue { version: 99, value: bytes("new") });
    assert_eq!(get(&mut view, "l"), Some(bytes("2")), "a run sees one value");
    assert_eq!(get(&mut view, "none"), None);
    set(&mut view, "k", "blind").unwrap();
    assert_eq!(get(&mut view, "k"), Some(bytes("blind")), "its own, which needs no version");
    let reads = view.into_changes().reads;
    assert_eq!(reads, [("p".into(), "l".into(), 2), ("p".into(), "none".into(), 0)]);
}

#[test]
fn later_calls_see_what_earlier_ones_wrote_and_a_failed_one_leaves_nothing() {
    let mut view = view(Stored::with(&[("k", "1")]));
    view.begin_call();
    set(&mut view, "k", "2").unwrap();
    set(&mut view, "l", "2").unwrap();
    view.begin_call();
    assert_eq!(get(&mut view, "k"), Some(bytes("2")));
    view.delete("p", "k").unwrap();
    set(&mut view, "l", "3").unwrap();
    assert_eq!((get(&mut view, "k"), get(&mut view, "l")), (None, Some(bytes("3"))));
    view.take_back();
    view.begin_call();
    assert_eq!((get(&mut view, "k"), get(&mut view, "l")), (Some(bytes("2")), Some(bytes("2"))));
    view.take_back();
    assert_eq!(writes(view), [("k".into(), Some(bytes("2"))), ("l".into(), Some(bytes("2")))]);
}

#[test]
fn a_step_that_failed_leaves_nothing_of_any_of_its_calls() {
    let mut view = view(Stored::default());
    view.begin_step();
    set(&mut view, "k", "before").unwrap();
    view.begin_step();
    for (key, text) in [("k", "1"), ("l", "2"), ("k", "3")] {
        view.begin_call();
        set(&mut view, key, text).unwrap();
    }
    assert_eq!((get(&mut view, "k"), get(&mut view, "l")), (Some(bytes("3")), Some(bytes("2"))));
    view.take_back_step();
    assert_eq!((get(&mut view, "k"), get(&mut view, "l")), (Some(bytes("before")), None));
    view.begin_step();
    set(&mut view, "m", "after").unwrap();
    assert_eq!(writes(view), [("k".into(), Some(bytes("before"))), ("m".into(), Some(bytes("after")))]);
}

#[test]
fn plugins_have_namespaces_of_their_own() {
    let mut view = view(Stored::default());
    set(&mut view, "k", "p's").unwrap();
    assert_eq!(view.get("q", "k"), Ok(None));
    view.set("q", "k", bytes("q's"), None, ROOM).unwrap();
    assert_eq!(get(&mut view, "k"), Some(bytes("p's")));
}

#[test]
fn increments_add_to_integers() {
    let mut view = view(Stored::with(&[("n", "-5"), ("text", "five"), ("most", "9223372036854775807")]));
    let mut add = |key: &str, delta| view.increment("p", key, delta, None, ROOM);
    assert_eq!(add("new", 3), Ok(3));
    assert_eq!(add("new", -4), Ok(-1));
    assert_eq!(add("n", 7), Ok(2));
    assert_eq!(add("most", -1), Ok(i64::MAX - 1));
    assert_eq!(add("most", 2), Err(StateError::Other(format!("{} and 2 are beyond 64 bits", i64::MAX - 1))));
    assert_eq!(add("text", 1), Err(StateError::Other("the value of `text` is no integer".into())));
    let changes = view.into_changes();
    assert_eq!(changes.writes.len(), 3);
    assert_eq!(changes.reads.len(), 4, "an increment reads");
}

#[test]
fn what_is_too_large_is_refused() {
    let mut view = view(Stored::default());
    let (longest, largest) = ("k".repeat(256), "v".repeat(64 << 10));
    assert_eq!(set(&mut view, &longest, &largest), Ok(()));
    for key in ["", &format!("{longest}k"), &format!("{}\u{e9}", &longest[1..])] {
        assert_eq!(set(&mut view, key, ""), Err(StateError::TooLarge), "{} bytes", key.len());
        assert_eq!(view.get("p", key), Err(StateError::TooLarge));
        assert_eq!(view.delete("p", key), Err(StateError::TooLarge));
        assert_eq!(view.increment("p", key, 1, None, ROOM), Err(StateError::TooLarge));
    }
    assert_eq!(set(&mut view, "k", &format!("{largest}v")), Err(StateError::TooLarge));
}

#[test]
fn a_call_has_so_many_operations_and_the_next_one_as_many() {
    let mut view = view(Stored::default());
    for _ in 0..2 {
        view.begin_call();
        for n in 0..OPERATIONS {
            assert_eq!(view.get("p", "k"), Ok(None), "{n}");
        }
        assert_eq!(view.get("p", "k"), Err(StateError::TooLarge));
        assert_eq!(set(&mut view, "k", ""), Err(StateError::TooLarge));
    }
}

#[test]
fn a_call_writes_so_many_bytes_and_a_run_keeps_so_many() {
    let large = "v".repeat(64 << 10);
    let mut view = view(Stored::default());
    let mut written = Vec::new();
    for call in 0..10 {
        view.begin_call();
        let fitting = (0..100).take_while(|n| set(&mut view, &format!("{call}-{n}"), &large).is_ok()).count();
        written.push(fitting);
    }
    // 4 MiB a call, keys included, and eight such calls a run.
    assert_eq!(written, [63, 63, 63, 63, 63, 63, 63, 63, 7, 0]);
    assert_eq!(get(&mut view, "0-0").unwrap().len(), large.len(), "what is there can be read");
}

/// Each is a statement of a commit, however small.
#[test]
fn a_run_touches_so_many_keys_whatever_it_does_with_them() {
    type Act = fn(&mut StateView, &str) -> Result<(), StateError>;
    let acts: [(&str, Act); 3] = [
        ("read", |view, key| view.get("p", key).map(drop)),
        ("delete", |view, key| view.delete("p", key)),
        ("set", |view, key| view.set("p", key, Bytes::new(), None, ROOM)),
    ];
    for (what, act) in acts {
        let mut view = view(Stored::default());
        let mut touched = 0;
        for call in 0..20 {
            view.begin_call();
            touched += (0..OPERATIONS).take_while(|n| act(&mut view, &format!("{call}-{n}")).is_ok()).count();
        }
        assert_eq!(touched, RUN_ENTRIES, "{what}");
        view.begin_call();
        assert_eq!(act(&mut view, "0-0"), Ok(()), "{what}: the same key again is no other entry");
    }
    let mut view = view(Stored::default());
    let deletes = (0..10 * RUN_BYTES / ENTRY_BYTES).take_while(|n| {
        if n % OPERATIONS as usize == 0 {
            view.begin_call();
        }
        view.delete("p", "k").is_ok()
    });
    assert_eq!(deletes.count(), RUN_BYTES / (1 + ENTRY_BYTES), "nor is one for nothing");
}

#[test]
fn a_full_namespace_takes_nothing_more_but_what_it_replaces() {
    let stored = || Stored { size: 100, ..Stored::with(&[("old", "1234567"), ("older", "12345")]) };
    let mut full = view(stored());
    let set = |view: &mut StateView, key: &str, text: &str, room| view.set("p", key, bytes(text), None, room);
    let no_room = |key: &str| {
        let message =
            format!("no room for `{key}`: the plugin's keys and values may take 100 bytes (kv_size)");
        Err(StateError::Other(message))
    };
    assert_eq!(set(&mut full, "new", "", 100), no_room("new"));
    assert_eq!(set(&mut full, "old", "7654321", 100), Ok(()), "as large");
    assert_eq!(set(&mut full, "old", "87654321", 100), no_room("old"));
    assert_eq!(set(&mut full, "old", "1", 100), Ok(()), "its own, and smaller");
    assert_eq!(set(&mut full, "new", "123", 100), Ok(()), "room that the run itself made");
    assert_eq!(set(&mut full, "newer", "", 100), no_room("newer"));
    assert_eq!(full.delete("p", "older"), Ok(()));
    assert!(full.into_changes().reads.is_empty(), "to look for room is not to read");

    let mut nearly = view(stored());
    assert_eq!(set(&mut nearly, "new", "12", 105), Ok(()));
    assert_eq!(
        set(&mut nearly, "n", "", 105),
        Err(StateError::Other(
            "no room for `n`: the plugin's keys and values may take 105 bytes (kv_size)".into()
        ))
    );
}

#[test]
fn a_store_in_trouble_is_unavailable() {
    let mut view = view(Stored { broken: true, ..Stored::default() });
    let unavailable = StateError::Unavailable("told to".into());
    assert_eq!(view.get("p", "k"), Err(unavailable.clone()));
    assert_eq!(view.increment("p", "k", 1, None, ROOM), Err(unavailable));
    assert_eq!(set(&mut view, "k", "blind"), Ok(()), "which needs no read");
}
