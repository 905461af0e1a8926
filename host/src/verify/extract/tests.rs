//! What extractors find, and which are refused.

use http::{HeaderMap, HeaderValue};

use super::super::Request;
use super::*;

struct Given<'a> {
    headers: &'a [(&'static str, &'a str)],
    query: Option<&'static str>,
    body: &'static str,
}

const NOTHING: Given<'static> = Given { headers: &[], query: None, body: "" };

fn items(extractor: &str, joints: bool, given: &Given<'_>) -> Vec<String> {
    let mut pointers = Pointers::default();
    let config = toml::from_str(extractor).unwrap();
    let mut extractor = Extractor::compile(&config, "f", &mut pointers).unwrap();
    if joints {
        extractor = extractor.cut_at_joints();
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given.headers {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    let request = Request {
        method: "POST",
        path: "/",
        query: given.query,
        headers: &headers,
        body: given.body.as_bytes(),
        public_url: None,
    };
    let reader = Reader::new(&request, &pointers, Some("payload"), 0);
    let mut found = Vec::new();
    extractor.each(&reader, &mut |item| {
        found.push(String::from_utf8(item.into_owned()).unwrap());
        true
    });
    found
}

#[test]
fn headers() {
    let kv = "header = \"s\"\nsplit = \",\"\nprefix = \"v1=\"";
    let space = "header = \"s\"\nsplit = \" \"\nprefix = \"v1,\"";
    for (extractor, joints, headers, expected) in [
        ("header = \"s\"", false, &[("s", "a, b")][..], &["a, b"][..]),
        ("header = \"s\"", true, &[("s", "a, b,c")], &["a", "b", "c"]),
        ("header = \"s\"", true, &[("s", "a"), ("s", "b")], &["a", "b"]),
        ("header = \"s\"", true, &[("s", "")], &[]),
        ("header = \"S\"", false, &[("s", "a")], &["a"]),
        ("header = [\"x\", \"s\"]", false, &[("s", "a"), ("x", "b")], &["b", "a"]),
        ("header = \"s-*\"", false, &[("s-1", "a"), ("s", "no"), ("s-2", "b")], &["a", "b"]),
        ("header = \"s\"\nprefix = \"sha256=\"", true, &[("s", "sha256=a,sha256=b")], &["a", "b"]),
        ("header = \"s\"\nprefix = \"sha256=\"", true, &[("s", "SHA256=a")], &[]),
        ("header = \"s\"\nprefix = \"sha256=\"", true, &[("s", "sha256=")], &[]),
        (kv, true, &[("s", "t=1, v1=a,v0=c,v1=b")], &["a", "b"]),
        (space, true, &[("s", "v1,a  v1a,x v1,b")], &["a", "b"]),
        (space, true, &[("s", "v1,a, v1,b")], &["a", "b"]),
        (
            "header = \"s\"\nsplit = \";\"\nprefix = \"h1=\"",
            true,
            &[("s", "ts=1;h1=a, ts=1;h1=b")],
            &["a", "b"],
        ),
        ("header = \"s\"\nsplit = \",\"\nindex = 1", false, &[("s", "a,b,c")], &["b"]),
        ("header = \"authorization\"\nprefix = \"Bearer \"", false, &[("authorization", "bearer x")], &["x"]),
        ("header = \"s\"\nprefix = \"Bearer \"", false, &[("s", "bearer x")], &[]),
    ] {
        assert_eq!(
            items(extractor, joints, &Given { headers, ..NOTHING }),
            expected,
            "{extractor} on {headers:?}"
        );
    }
}

#[test]
fn of_a_value_only_so_many_items_are_looked_at() {
    let value = "v1=a,".repeat(80_000);
    let headers = [("s", value.as_str())];
    for split in ["", "split = \",\"", "split = \"=a,\""] {
        let found = items(&format!("header = \"s\"\n{split}"), true, &Given { headers: &headers, ..NOTHING });
        assert_eq!(found.len(), MAX_ITEMS, "{split}");
    }
}

#[test]
fn query_form_and_json() {
    const FORM: &[(&str, &str)] = &[("content-type", "Application/x-www-form-urlencoded; charset=utf-8")];
    for (extractor, given, expected) in [
        ("query = \"k\"", Given { query: Some("a=1&k=x%2By&k=z"), ..NOTHING }, &["x+y", "z"][..]),
        ("query = \"k\"", NOTHING, &[]),
        ("form = \"k\"", Given { body: "k=a+b&l=c", ..NOTHING }, &["a b"]),
        ("json = \"/k\"", Given { body: r#"{"k":"v"}"#, ..NOTHING }, &["v"]),
        ("json = [\"/n/k\", \"/k\"]", Given { body: r#"{"k":7}"#, ..NOTHING }, &["7"]),
        ("json = \"/k\"\nprefix = \"a\"", Given { body: r#"{"k":"ab"}"#, ..NOTHING }, &["b"]),
        ("json = \"/k\"", Given { body: "k=v", ..NOTHING }, &[]),
        ("json = \"/v/*/k\"", Given { body: r#"{"v":[{"k":"a"},{},{"k":"b"}]}"#, ..NOTHING }, &["a"]),
        ("json_key = \"\"\nbeside = [\"k\"]", Given { body: r#"{"k":1,"l":2,"m":3}"#, ..NOTHING }, &["l"]),
        (
            "json = \"/k\"",
            Given {
                headers: &[("content-type", "multipart/form-data; boundary=x")],
                body: "--x\r\ncontent-disposition: form-data; name=\"payload\"\r\n\r\n{\"k\":\"v\"}\r\n--x--",
                ..NOTHING
            },
            &["v"],
        ),
        (
            "json = \"/k\"",
            Given { headers: FORM, body: "x=1&payload=%7B%22k%22%3A%22v%22%7D", ..NOTHING },
            &["v"],
        ),
        // What it is called is not signed.
        ("json = \"/k\"", Given { headers: FORM, body: r#"{"k":"v"}"#, ..NOTHING }, &["v"]),
        ("json = \"/k\"", Given { headers: FORM, body: "x=1", ..NOTHING }, &[]),
        (
            "form = \"payload\"",
            Given {
                headers: &[("content-type", "multipart/form-data; boundary=x")],
                body: "--x\r\ncontent-disposition: form-data; name=\"payload\"\r\n\r\nv\r\n--x--",
                ..NOTHING
            },
            &["v"],
        ),
    ] {
        assert_eq!(items(extractor, false, &given), expected, "{extractor} on {:?}", given.body);
    }
}

#[test]
fn mistakes() {
    for (extractor, expected) in [
        ("", "f: needs exactly one of header, query, form, json and json_key"),
        ("header = \"a\"\nquery = \"b\"", "f: needs exactly one of header, query, form, json and json_key"),
        ("json = \"/a\"\nbeside = [\"b\"]", "f: beside is of use with json_key alone"),
        ("json_key = \"a\"", "f: \"a\" is not a JSON pointer; one begins with \"/\", as in \"/data/id\""),
        ("header = []", "f: a name is empty"),
        ("query = \"\"", "f: a name is empty"),
        ("header = \"a b\"", "f: \"a b\" is not the name of a header"),
        ("header = \"*\"", "f: \"*\" is not the name of a header"),
        ("json = \"id\"", "f: \"id\" is not a JSON pointer; one begins with \"/\", as in \"/data/id\""),
        ("header = \"a\"\nsplit = \"\"", "f: split is empty; leave it out to take the whole value"),
        ("header = \"a\"\nindex = 256", "f: index is at most 255: no more items are looked at"),
    ] {
        let config = toml::from_str(extractor).unwrap();
        let error = Extractor::compile(&config, "f", &mut Pointers::default()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{extractor}");
    }
}
