//! Values, lists and keys out of documents.

use super::*;

fn pick(pointers: &[&str], json: &str) -> Option<Vec<Option<String>>> {
    let mut set = Pointers::default();
    let slots: Vec<_> = pointers.iter().map(|pointer| set.add(pointer).unwrap()).collect();
    let found = set.pick(json.as_bytes())?;
    Some(slots.into_iter().map(|slot| found.get(slot).map(str::to_owned)).collect())
}

#[test]
fn values() {
    for (pointer, json, expected) in [
        ("", "\"x\"", Some("x")),
        ("/a", r#"{"b":{"a":1},"a":"x"}"#, Some("x")),
        ("/a/b", r#"{"a":{"b":12}}"#, Some("12")),
        ("/a/b", r#"{"a":[{"b":12}]}"#, None),
        ("/a/1", r#"{"a":[1,"two",3]}"#, Some("two")),
        ("/a/1", r#"{"a":{"1":"one"}}"#, Some("one")),
        ("/a/9", r#"{"a":[1]}"#, None),
        ("/a~1b/~0", r#"{"a/b":{"~":true}}"#, Some("true")),
        ("/a", r#"{"a":null}"#, None),
        ("/a", r#"{"a":{}}"#, None),
        ("/a", r#"{"a":[]}"#, None),
        ("/a", r#"{"a":-5}"#, Some("-5")),
        ("/a", r#"{"a":1.5}"#, Some("1.5")),
        ("/a", r#"{"a":"\u00e9\n"}"#, Some("é\n")),
        ("/a", r#"{"\u0061":"escaped name"}"#, Some("escaped name")),
        ("/a", r#"{"a":1,"a":2}"#, Some("2")),
        ("/a/b", r#"{"a":{"b":1},"a":{}}"#, None),
    ] {
        assert_eq!(pick(&[pointer], json), Some(vec![expected.map(str::to_owned)]), "{pointer} in {json}");
    }
}

#[test]
fn several_pointers_take_one_pass_and_share_slots() {
    assert_eq!(
        pick(&["/a", "/a/b", "/c", "/a"], r#"{"c":1,"a":{"b":2}}"#).unwrap(),
        [None, Some("2".to_owned()), Some("1".to_owned()), None]
    );
}

#[test]
fn what_is_not_one_document_yields_nothing() {
    for json in ["", "{", "a=1", r#"{"a":1} x"#, r#"{"a":1}{"a":2}"#, r#"{"a":1,}"#] {
        assert_eq!(pick(&["/a"], json), None, "{json}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(pick(&["/0"], &deep), None);
}

/// Every element as text, `-` for a hole.
fn every(pointer: &str, json: &str) -> String {
    let mut set = Pointers::default();
    // Another pointer through the same array must not disturb.
    set.add("/v/0/id").unwrap();
    let slot = set.add(pointer).unwrap();
    set.add("/v/1/x").unwrap();
    let found = set.pick(json.as_bytes()).unwrap();
    let shown: Vec<_> = found.every(slot).iter().map(|value| value.as_deref().unwrap_or("-")).collect();
    shown.join(" ")
}

#[test]
fn every_element_of_an_array() {
    for (pointer, json, expected) in [
        ("/v/*/id", r#"{"v":[{"id":"a"},{"id":2},{"x":1,"id":true}]}"#, "a 2 true"),
        ("/v/*/id", r#"{"v":[{"id":"a"},{},{"id":null},{"id":{}},5,"s"]}"#, "a - - - - -"),
        ("/v/*/id", r#"{"v":[]}"#, ""),
        ("/v/*/id", r#"{"v":{"0":{"id":"a"},"*":{"id":"b"}}}"#, ""),
        ("/v/*/id", r#"{"w":[{"id":"a"}]}"#, ""),
        ("/v/*", r#"{"v":["a","b",["c"]]}"#, "a b -"),
        ("/*/id", r#"[{"id":"a"},{"id":"b"}]"#, "a b"),
        ("/*/id", r#"{"id":"a"}"#, ""),
        ("/v/*/c/*/f", r#"{"v":[{"c":[{"f":1},{"f":2}]},{"c":[]},{"c":[{}]},{"c":[{"f":3}]}]}"#, "1 2 - - 3"),
        // Repeated names: whose are the elements?
        ("/v/*/id", r#"{"v":[{"id":"a"}],"v":[{"id":"b"}]}"#, "a - b"),
        ("/v/*/id", r#"{"v":[{"id":"a","id":"b"}]}"#, "a - b"),
    ] {
        assert_eq!(every(pointer, json), expected, "{pointer} in {json}");
    }
}

#[test]
fn a_float_names_nothing() {
    for (json, value, name, names) in [
        (r#"{"a":1,"v":[{"id":1}]}"#, Some("1"), Some("1"), vec![Some("1")]),
        (r#"{"a":1.0,"v":[{"id":1},{"id":1.0}]}"#, Some("1"), None, vec![Some("1"), None]),
        (r#"{"a":1e0,"v":[{"id":"1.0"}]}"#, Some("1"), None, vec![Some("1.0")]),
        (r#"{"a":1,"a":1.5}"#, Some("1.5"), None, vec![]),
        (r#"{"a":18446744073709551615}"#, Some("18446744073709551615"), Some("18446744073709551615"), vec![]),
        (r#"{"a":18446744073709551616}"#, Some("18446744073709552000"), None, vec![]),
    ] {
        let mut set = Pointers::default();
        let slot = set.add("/a").unwrap();
        let [one, every] = ["/a", "/v/*/id"].map(|pointer| set.add_name(pointer).unwrap());
        let found = set.pick(json.as_bytes()).unwrap();
        assert_eq!((found.get(slot), found.get(one)), (value, name), "{json}");
        let found: Vec<_> = found.every(every).iter().map(Option::as_deref).collect();
        assert_eq!(found, names, "{json}");
    }
}

#[test]
fn elements_are_found_by_number_and_by_star() {
    let mut set = Pointers::default();
    let [star, second, member] = ["/v/*/id", "/v/1/id", "/v/1"].map(|pointer| set.add(pointer).unwrap());
    let found = set.pick(br#"{"v":[{"id":"a"},{"id":"b"}]}"#).unwrap();
    assert_eq!((found.get(star), found.get(second), found.count(star)), (Some("a"), Some("b"), 2));
    let found = set.pick(br#"{"v":{"1":"m"}}"#).unwrap();
    assert_eq!((found.get(star), found.get(second), found.get(member)), (None, None, Some("m")));
}

#[test]
fn a_list_that_is_cut_off_has_a_hole() {
    let mut set = Pointers::default();
    let slot = set.add("/*").unwrap();
    for (count, holes, len) in [(MAX_ELEMENTS, 0, MAX_ELEMENTS), (MAX_ELEMENTS * 2, 1, MAX_ELEMENTS + 1)] {
        let json = format!("[{}1]", "1,".repeat(count - 1));
        let found = set.pick(json.as_bytes()).unwrap();
        let every = found.every(slot);
        assert_eq!((every.iter().filter(|value| value.is_none()).count(), every.len()), (holes, len));
    }
}

#[test]
fn the_first_key_beside_others() {
    for (pointer, json, expected) in [
        ("", r#"{"update_id":1,"message":{"text":"x"},"other":2}"#, Some("message")),
        ("", r#"{"message":1,"update_id":2}"#, Some("message")),
        ("", r#"{"update_id":1}"#, None),
        ("", "[1]", None),
        ("/a", r#"{"a":{"b":1},"c":2}"#, Some("b")),
        ("/a", r#"{"a":{"b":1},"a":{"c":1}}"#, Some("c")),
    ] {
        let mut set = Pointers::default();
        let slot = set.add_key(pointer, &["update_id".to_owned()]).unwrap();
        assert_eq!(set.pick(json.as_bytes()).unwrap().get(slot), expected, "{pointer} in {json}");
    }
}

#[test]
fn what_is_no_pointer_is_refused() {
    assert_eq!(Pointers::default().add("a/b"), None);
    assert_eq!(Pointers::default().add(&"/1".repeat(9)), None);
    assert_eq!(Pointers::default().add_key("/a/*", &[]), None);
}
