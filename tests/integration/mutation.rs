//! The presets under mutation: every word of each is changed in turn, and some recorded
//! request or handshake must then go another way. What nobody would notice is not proven.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use hookloom::model::Millis;
use hookloom::verify::case::{self, Case};
use hookloom::verify::{
    Algorithm, Documents, Effect, Encoding, Extras, Preset, PresetDedupe, Request, Scheme, SecretKind, Setup,
    Unit, Verdict, preset_names, preset_text,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use toml::{Table, Value};

use crate::recorded;

/// Mutants that nothing can notice, by preset and name, and why.
const EQUIVALENT: &[(&str, &str, &str)] = &[
    ("airtable", "verify.secret = whsec", PREFIX),
    ("auth0", "verify.secret = nfkd", ASCII),
    ("calendly", "verify.signature.split removed", AT_COMMAS),
    ("calendly", "verify.timestamp.split removed", AT_COMMAS),
    ("circleci", "verify.signature.split removed", AT_COMMAS),
    ("gitlab-token", "verify.secret = nfkd", ASCII),
    ("mercadopago", "verify.signature.split removed", AT_COMMAS),
    ("mercadopago", "verify.timestamp.split removed", AT_COMMAS),
    ("mux", "verify.signature.split removed", AT_COMMAS),
    ("mux", "verify.timestamp.split removed", AT_COMMAS),
    ("okta", "verify.secret = nfkd", ASCII),
    ("pagerduty", "verify.signature.split removed", AT_COMMAS),
    ("recurly", "verify.signature.split removed", AT_COMMAS),
    ("recurly", "verify.timestamp.split removed", AT_COMMAS),
    ("sanity", "verify.signature.split removed", AT_COMMAS),
    ("sanity", "verify.timestamp.split removed", AT_COMMAS),
    ("stripe", "verify.signature.split removed", AT_COMMAS),
    ("stripe", "verify.timestamp.split removed", AT_COMMAS),
    ("telegram", "verify.secret = nfkd", ASCII),
    ("telnyx", "verify.secret = whpk", PREFIX),
    ("workos", "verify.signature.split removed", AT_COMMAS),
    ("workos", "verify.timestamp.split removed", AT_COMMAS),
];

/// Proxies join repeated headers by commas, so every header is cut there.
const AT_COMMAS: &str = "a header is cut at commas where no separator is named";
/// A token in a header is ASCII, which normalising leaves as it is.
const ASCII: &str = "a header carries no text that normalising would change";
/// `whsec` and `whpk` are base64 with a prefix that may be left out; the provider's have none.
const PREFIX: &str = "the same key comes of every secret that is base64";

/// What presets say beside their scheme, where it is not the default: methods, the answer
/// (status, content type, body), and whether repeats are recognised by their content.
type Defaults = (&'static [&'static str], Option<(u16, Option<&'static str>, &'static str)>, bool);

/// From the providers' pages; a preset that is not here says none of it.
const DEFAULTS: &[(&str, Defaults)] = &[
    ("adyen", (&[], Some((200, Some("text/plain"), "[accepted]")), false)),
    ("discord", (&[], Some((204, None, "")), false)),
    ("dropbox-sign", (&[], Some((200, Some("text/plain"), "Hello API Event Received")), true)),
    ("hubspot-v1", (&[], None, true)),
    ("hubspot-v2", (&[], None, true)),
    ("hubspot-v3", (&[], None, true)),
    ("lemonsqueezy", (&[], None, true)),
    ("mandrill", (&[], None, true)),
    ("messagebird", (&["POST", "GET"], None, false)),
    ("netlify", (&[], None, true)),
    ("okta", (&[], Some((204, None, "")), false)),
    ("plivo-v3", (&["POST", "GET"], None, false)),
    ("pusher", (&[], None, true)),
    ("twilio", (&["POST", "GET"], Some((200, Some("text/xml"), "<Response></Response>")), false)),
    ("twilio-sharedkey", (&["POST", "GET"], Some((200, Some("text/xml"), "<Response></Response>")), false)),
    ("woocommerce", (&[], None, true)),
    ("xero", (&[], Some((200, None, "")), false)),
    ("zendesk", (&[], None, true)),
];

/// Fields whose value is one of some words, and these; the words that presets use count,
/// too.
const WORDS: &[(&str, &[&str])] = &[
    (
        "algorithm",
        &[
            "hmac-sha256",
            "hmac-sha1",
            "hmac-sha512",
            "sha256",
            "ed25519",
            "token",
            "ecdsa-p256-sha256",
            "rsa-sha256",
            "rsa-sha1",
        ],
    ),
    ("encoding", &["hex", "base64", "base64url", "text"]),
    ("secret", &["utf8", "base64", "hex", "whsec", "whpk", "spki", "nfkd", "html"]),
    ("unit", &["s", "ms", "rfc3339"]),
    ("handshake", &[]),
    ("code", &[]),
];

/// A preset with one thing changed.
struct Mutant {
    name: String,
    table: Table,
}

#[test]
fn no_word_of_a_preset_can_be_changed_unnoticed() {
    let (mut mutants, mut listed, mut survivors) = (0, 0, Vec::new());
    let words = words_in_use();
    for preset in preset_names() {
        let judge = Judge::of(preset);
        let table: Table = toml::from_str(preset_text(preset).unwrap()).unwrap();
        assert_eq!(judge.notices(&table), None, "{preset} itself is not what its cases say");
        for mutant in mutants_of(&table, &words) {
            mutants += 1;
            if judge.notices(&mutant.table).is_some() {
                continue;
            }
            if EQUIVALENT.iter().any(|(of, name, _)| *of == preset && *name == mutant.name) {
                listed += 1;
            } else {
                survivors.push(format!("{preset}: {}", mutant.name));
            }
        }
    }
    let killed = mutants - listed - survivors.len();
    eprintln!("{mutants} mutants: {killed} noticed, {listed} listed, {} survive", survivors.len());
    assert_eq!(listed, EQUIVALENT.len(), "a listed mutant is noticed, or is none any more");
    assert!(
        survivors.is_empty(),
        "nobody notices {} of {mutants}:\n{}",
        survivors.len(),
        survivors.join("\n")
    );
}

/// Every case, read once for all presets.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let parse = |file| case::parse(&std::fs::read(file).unwrap()).unwrap();
    recorded::files().into_iter().flat_map(parse).collect()
});

/// The same of handshakes.
static HANDSHAKES: LazyLock<Vec<Json>> = LazyLock::new(recorded::handshakes);

/// Everything that knows what a preset has to do.
struct Judge {
    preset: &'static str,
    cases: Vec<&'static Case>,
    handshakes: Vec<&'static Json>,
}

impl Judge {
    fn of(preset: &'static str) -> Self {
        let cases = CASES.iter().filter(|case| case.provider == preset);
        let handshakes = HANDSHAKES.iter().filter(|case| case["provider"] == preset);
        Self { preset, cases: cases.collect(), handshakes: handshakes.collect() }
    }

    /// What is not as it should be with that preset, if anything is.
    fn notices(&self, table: &Table) -> Option<String> {
        let preset: Preset = match Value::Table(table.clone()).try_into() {
            Ok(preset) => preset,
            Err(error) => return Some(format!("it is refused: {error}")),
        };
        if !self.has_its_defaults(&preset) {
            return Some("its methods, answer or repeats are others".to_owned());
        }
        let failed = self.cases.iter().map(|case| (case, case.judge_by(&preset.verify)));
        let failed = failed.into_iter().find(|(_, judged)| !judged.as_expected);
        if let Some((case, judged)) = failed {
            return Some(format!("{}: {}", case.description, judged.explanation));
        }
        self.handshakes.iter().find_map(|handshake| wrong_answer(&preset, handshake))
    }

    fn has_its_defaults(&self, preset: &Preset) -> bool {
        let due = DEFAULTS.iter().find(|(name, _)| *name == self.preset).map(|(_, due)| *due);
        let (methods, reply, by_content) = due.unwrap_or((&[], None, false));
        let own = preset.reply.as_ref().map(|r| (r.status, r.content_type.as_deref(), r.body.as_str()));
        preset.methods.as_deref().unwrap_or_default() == methods
            && own == reply
            && (preset.dedupe == Some(PresetDedupe::Content)) == by_content
    }
}

/// How the answer to a handshake differs from what is due, if it does.
fn wrong_answer(preset: &Preset, case: &Json) -> Option<String> {
    let text = |pointer: &str| case.pointer(pointer).and_then(Json::as_str);
    let secrets: Vec<&str> = match case["config"]["secrets"].as_array() {
        Some(several) => several.iter().filter_map(Json::as_str).collect(),
        None => text("/config/secret").into_iter().collect(),
    };
    if secrets.is_empty() && case["signature"] == "first" {
        // Signed by whoever replays it through a gateway.
        return None;
    }
    let extras = Extras {
        public_key: text("/config/public_key"),
        audience: text("/config/audience"),
        pin_algorithm: text("/config/pin_algorithm"),
        secondary_secret: text("/config/secondary_secret"),
        verify_token: text("/config/verify_token"),
    };
    let compile = |secrets: &[&str]| {
        let verify = Some(&preset.verify);
        Scheme::compile(&Setup { verify, secrets, has_public_url: true, extras, ..Setup::default() })
    };
    // Some begin without a secret; what others are asked before anything is proven, they
    // answer with any.
    let stand_in = |error| if secrets.is_empty() { compile(&["FAKE-of-no-use"]) } else { Err(error) };
    let scheme = match compile(&secrets).or_else(stand_in) {
        Ok(scheme) => scheme,
        Err(error) => return Some(error.to_string()),
    };
    let written: BTreeMap<String, Json> =
        serde_json::from_value(case["request"]["headers"].clone()).unwrap_or_default();
    let mut headers = HeaderMap::new();
    for (name, value) in recorded::headers(&written) {
        headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    let url = url::Url::parse(text("/request/url").unwrap()).unwrap();
    let body = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        text("/request/body_base64").unwrap_or_default(),
    );
    let request = Request {
        method: text("/request/method").unwrap(),
        path: url.path(),
        query: url.query(),
        headers: &headers,
        body: &body.unwrap(),
        public_url: text("/request/url"),
    };
    let now = Millis(case["now"].as_i64().unwrap_or(1_700_000_000) * 1000);
    let is_event = preset.methods.as_ref().map_or_else(
        || request.method == "POST",
        |methods| methods.iter().any(|method| method == request.method),
    );
    let verdict = if is_event {
        Some(scheme.verify(&request, now, &Documents::default()))
    } else {
        scheme.probe(&request)
    };
    answers(case, verdict.as_ref()).err()
}

/// Whether a verdict is what a handshake's case expects; what it is otherwise.
fn answers(case: &Json, verdict: Option<&Verdict>) -> Result<(), String> {
    let due = &case["expect"];
    let status = match verdict {
        // HEAD and OPTIONS are answered by the front door, whatever the scheme.
        None if case["request"]["method"] != "GET" => return Ok(()),
        None => 405,
        Some(Verdict::Handshake(reply)) => {
            if matches!(reply.effect, Some(Effect::Learn(_))) && due["status"] == 403 {
                // The window is the gateway's.
                return Ok(());
            }
            let body = due["body"].as_str();
            let json: Option<Json> = due.get("json").cloned();
            let is_due = body.is_none_or(|body| body == reply.body)
                && json
                    .is_none_or(|json| serde_json::from_str(&reply.body).is_ok_and(|own: Json| own == json));
            if !is_due {
                return Err(format!("answered {:?}", reply.body));
            }
            reply.status
        }
        // A request that is asked about a second time is an event, or wants a key first.
        Some(Verdict::Accepted(_)) if case["forward"] == true => return Ok(()),
        Some(Verdict::Wanted(_)) => return Ok(()),
        Some(Verdict::Accepted(_)) => 202,
        Some(Verdict::Malformed(_)) => 400,
        Some(Verdict::Unauthorized(_)) => 401,
        Some(Verdict::Forbidden(_)) => 403,
        Some(Verdict::NotFound(_)) => 404,
    };
    let verdict = verdict.map_or_else(String::new, ToString::to_string);
    if due["status"] == status { Ok(()) } else { Err(verdict) }
}

/// For each field with words, every word that some preset uses.
fn words_in_use() -> BTreeMap<String, BTreeSet<String>> {
    fn collect(table: &Table, found: &mut BTreeMap<String, BTreeSet<String>>) {
        for (key, value) in table {
            match value {
                Value::String(word) => drop(found.entry(key.clone()).or_default().insert(word.clone())),
                Value::Table(inner) => collect(inner, found),
                Value::Array(items) => {
                    items.iter().filter_map(Value::as_table).for_each(|t| collect(t, found));
                }
                _ => {}
            }
        }
    }
    let mut found = BTreeMap::new();
    for (field, words) in WORDS {
        found.insert((*field).to_owned(), words.iter().map(|word| (*word).to_owned()).collect());
    }
    for name in preset_names() {
        collect(&toml::from_str(preset_text(name).unwrap()).unwrap(), &mut found);
    }
    found.retain(|field, _| WORDS.iter().any(|(own, _)| own == field));
    for (field, words) in &mut found {
        words.retain(|word| is_word(field, word));
    }
    found
}

/// Whether this version knows the word.
fn is_word(field: &str, word: &str) -> bool {
    fn parses<T: DeserializeOwned>(word: &str) -> bool {
        Value::from(word).try_into::<T>().is_ok()
    }
    match field {
        "algorithm" => parses::<Algorithm>(word),
        "encoding" => parses::<Encoding>(word),
        "secret" => parses::<SecretKind>(word),
        "unit" => parses::<Unit>(word),
        _ => true,
    }
}

fn mutants_of(preset: &Table, words: &BTreeMap<String, BTreeSet<String>>) -> Vec<Mutant> {
    let mut found = Vec::new();
    for field in ["verify", "methods", "reply", "dedupe"] {
        let Some(value) = preset.get(field) else { continue };
        for (name, changed) in changes(field, value, words) {
            let mut table = preset.clone();
            table.insert(field.to_owned(), changed);
            found.push(Mutant { name: format!("{field}{name}"), table });
        }
        if field != "verify" {
            let mut table = preset.clone();
            table.remove(field);
            found.push(Mutant { name: format!("{field} removed"), table });
        }
    }
    found
}

/// Every change of one value, each with its name.
fn changes(field: &str, value: &Value, words: &BTreeMap<String, BTreeSet<String>>) -> Vec<(String, Value)> {
    match value {
        Value::Table(table) => of_table(field, table, words),
        Value::Array(items) => of_list(field, items, words),
        Value::String(text) => match words.get(field) {
            Some(words) => others(words, text),
            None => of_text(field, text),
        },
        Value::Integer(number) => [-1, 1]
            .map(|by| (format!(" = {}", number + by), Value::Integer(number + by)))
            .into_iter()
            .collect(),
        Value::Boolean(yes) => vec![(format!(" = {}", !yes), Value::Boolean(!yes))],
        Value::Float(_) | Value::Datetime(_) => panic!("{field}: no preset has one"),
    }
}

fn others(words: &BTreeSet<String>, own: &str) -> Vec<(String, Value)> {
    let others = words.iter().filter(|word| *word != own);
    others.map(|word| (format!(" = {word}"), Value::from(word.as_str()))).collect()
}

/// Fields that are there and fields whose default stands in for them.
fn of_table(field: &str, table: &Table, words: &BTreeMap<String, BTreeSet<String>>) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let with = |key: &str, value: Option<Value>| {
        let mut table = table.clone();
        match value {
            Some(value) => table.insert(key.to_owned(), value),
            None => table.remove(key),
        };
        Value::Table(table)
    };
    for (key, value) in table {
        found.push((format!(".{key} removed"), with(key, None)));
        for (name, changed) in changes(key, value, words) {
            found.push((format!(".{key}{name}"), with(key, Some(changed))));
        }
    }
    for (key, own) in silent(field, table) {
        for (name, changed) in changes(key, &own, words) {
            found.push((format!(".{key}{name}"), with(key, Some(changed))));
        }
    }
    found
}

/// What a table's silence means, where another meaning is possible.
fn silent(field: &str, table: &Table) -> Vec<(&'static str, Value)> {
    let is_combined = ["code", "all", "any"].iter().any(|key| table.contains_key(*key));
    let defaults = match field {
        "verify" if !is_combined => {
            let is_token = table.get("algorithm").and_then(Value::as_str) == Some("token");
            vec![
                ("algorithm", Value::from("hmac-sha256")),
                ("encoding", Value::from(if is_token { "text" } else { "hex" })),
                ("secret", Value::from("utf8")),
            ]
        }
        "timestamp" => vec![("unit", Value::from("s")), ("tolerance", Value::from(300))],
        _ => Vec::new(),
    };
    defaults.into_iter().filter(|(key, _)| !table.contains_key(*key)).collect()
}

fn of_list(field: &str, items: &[Value], words: &BTreeMap<String, BTreeSet<String>>) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (place, item) in items.iter().enumerate() {
        if items.len() > 1 {
            let mut fewer = items.to_vec();
            fewer.remove(place);
            found.push((format!("[{place}] dropped"), Value::Array(fewer)));
        }
        for (name, changed) in changes(field, item, words) {
            let mut other = items.to_vec();
            other[place] = changed;
            found.push((format!("[{place}]{name}"), Value::Array(other)));
        }
    }
    found
}

/// Another text; of a message, also without each of its parts.
fn of_text(field: &str, text: &str) -> Vec<(String, Value)> {
    let mut found = vec![(" altered".to_owned(), Value::String(format!("{text}x")))];
    if field == "message" {
        let parts = parts(text);
        for place in (0..parts.len()).filter(|_| parts.len() > 1) {
            let rest: String =
                parts.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, p)| *p).collect();
            found.push((format!(" without {:?}", parts[place]), Value::String(rest)));
        }
    }
    found
}

/// The words in braces of a template, and what is between them.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.find('{') {
        let close = rest[open..].find('}').map_or(rest.len(), |close| open + close + 1);
        parts.extend([&rest[..open], &rest[open..close]]);
        rest = &rest[close..];
    }
    parts.push(rest);
    parts.retain(|part| !part.is_empty());
    parts
}

#[test]
fn every_kind_of_change_is_made() {
    let table: Table = toml::from_str(
        "methods = [\"POST\", \"PUT\"]\n[verify]\nsignature = { header = [\"a\", \"b\"], index = 1 }\n\
         encoding = \"base64\"\nmessage = \"{timestamp}.{body}\"\ntimestamp = { header = \"t\" }\nbody_unsigned = true",
    )
    .unwrap();
    let names: Vec<_> = mutants_of(&table, &words_in_use()).into_iter().map(|mutant| mutant.name).collect();
    for expected in [
        "verify.signature removed",
        "verify.signature.header[0] dropped",
        "verify.signature.header[1] altered",
        "verify.signature.index = 2",
        "verify.encoding = hex",
        "verify.encoding removed",
        "verify.algorithm = hmac-sha1",
        "verify.secret = whsec",
        "verify.message without \"{timestamp}\"",
        "verify.message without \".\"",
        "verify.timestamp.tolerance = 301",
        "verify.timestamp.tolerance = 299",
        "verify.timestamp.unit = ms",
        "verify.body_unsigned = false",
        "methods[1] dropped",
        "methods removed",
    ] {
        assert!(names.iter().any(|name| name == expected), "{expected} is not in {names:#?}");
    }
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "two mutants have one name");
}
