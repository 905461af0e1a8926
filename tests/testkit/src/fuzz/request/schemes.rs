//! Schemes: presets, generic ones out of the words there are, and files with mistakes.

use hookloom::clock::Random;
use hookloom::verify::{preset_names, preset_text};
use serde_json::{Map, Value, json};

use super::{below, one_of, scratch};

/// Secrets of every kind; some fit to a scheme, most do not.
pub(super) const SECRETS: [&str; 5] = [
    "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0",
    "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "44782def547aaa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba056",
    "user:password",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
];

/// Of which messages are made beside time and body.
const WORDS: [&str; 10] = [
    "{method}",
    "{url}",
    "{header:x-id}",
    ".",
    "v0:",
    "{{",
    "{query:q}",
    "{lower:query:q}",
    "[[{query:data.id};]]",
    "[[{header:x-none};]]",
];

/// Any preset.
pub(super) fn preset(random: &Random) -> &'static str {
    let names: Vec<_> = preset_names().collect();
    names[below(random, names.len())]
}

/// A generic scheme in the words of `[sources.NAME.verify]`.
pub(super) fn generic(random: &Random) -> Value {
    let mut verify = Map::new();
    let mut put = |key: &str, value: Value| drop(verify.insert(key.to_owned(), value));
    put("algorithm", json!(one_of(random, &["hmac-sha256", "hmac-sha1", "hmac-sha512", "token"])));
    put("encoding", json!(one_of(random, &["hex", "base64", "base64url"])));
    let (split, time, prefix) =
        (one_of(random, &[",", ";", " "]), below(random, 2) == 0, below(random, 2) == 0);
    let shared = time && below(random, 2) == 0;
    let in_query = below(random, 6) == 0;
    let mut signature = if in_query {
        json!({ "query": "sig" })
    } else {
        json!({ "header": one_of(random, &["x-sig", "x-sig-*"]) })
    };
    if prefix || shared {
        signature["prefix"] = json!(one_of(random, &["v1=", "sha256=", "v1,"]));
    }
    if shared || below(random, 2) == 0 {
        signature["split"] = json!(split);
    }
    if time {
        let mut timestamp = if shared { signature.clone() } else { json!({ "header": "x-time" }) };
        timestamp["tolerance"] = json!(below(random, 600));
        timestamp["unit"] = json!(one_of(random, &["s", "ms", "rfc3339"]));
        if shared {
            timestamp["prefix"] = json!("t=");
            timestamp["split"] = json!(split);
        }
        put("timestamp", timestamp);
    }
    put("signature", signature);
    put("id", json!({ "header": "x-id" }));
    let mut message = String::new();
    for _ in 0..below(random, 5) {
        message += one_of(random, &WORDS);
    }
    message += if time { "{timestamp}.{body}" } else { "{body}" };
    put(
        "message",
        if below(random, 4) == 0 { json!([message, "{header:x-none}{body}"]) } else { json!(message) },
    );
    put("body_unsigned", json!(below(random, 4) == 0));
    Value::Object(verify)
}

/// A configuration file with one source, mostly with a mistake in it.
pub(super) fn file(random: &Random) -> Vec<u8> {
    let name = preset(random);
    let text = preset_text(name).unwrap_or_default();
    let words = text.split_once("[verify]").map_or("", |(_, words)| words);
    let words = words.replace("[[verify.", "[[sources.a.verify.");
    let secret = one_of(random, &SECRETS);
    let mut bytes = format!("[sources.a.verify]{words}").into_bytes();
    for _ in 0..below(random, 4) {
        scratch(&mut bytes, random);
    }
    [format!("[sources.a]\nsecrets = [\"{secret}\"]\n").into_bytes(), bytes].concat()
}
