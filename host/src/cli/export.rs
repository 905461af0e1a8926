//! `hookloom events export`: a stored event as a fixture, so that one that failed becomes
//! a test.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::admin_side::{self, AdminSide, segment};
use super::ask::ids;
use super::{events, print, say};
use crate::model::MASK;

/// What an event is made of, in the order in which a fixture tells it.
const EVENT: [&str; 12] = [
    "id",
    "source",
    "type",
    "received_at",
    "method",
    "path",
    "query",
    "headers",
    "attributes",
    "body",
    "body_text",
    "body_base64",
];

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// Their ids; - reads them from stdin
    #[arg(required = true)]
    ids: Vec<String>,
    /// The step of this plugin; by default the one that failed, or the last one
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Write each into this folder as ID.json, instead of all to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    admin: admin_side::Options,
}

/// A fixture, and what its reader has to know.
#[derive(Debug, PartialEq)]
struct Exported {
    fixture: Value,
    /// The step that it is of, and what that said.
    step: Option<String>,
    warnings: Vec<String>,
}

/// What the gateway knows beside the event.
#[derive(Debug, Default)]
struct Known {
    routes: Vec<Value>,
    plugins: Vec<Value>,
}

/// One step of one run.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    run: &'a Value,
    index: usize,
    record: &'a Value,
}

pub(super) async fn run(options: &Export) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    let mut known = Known::default();
    admin.each("routes", &[], usize::MAX, |route| known.routes.push(route.clone())).await?;
    admin.each("plugins", &[], usize::MAX, |plugin| known.plugins.push(plugin.clone())).await?;
    let (mut fixtures, mut failed) = (Vec::new(), false);
    for id in ids(&options.ids)? {
        let event = match admin.get(&format!("events/{}", segment(&id)), &[]).await {
            Ok(event) => event,
            Err(error) => {
                failed |= events::refused(&id, error)?;
                continue;
            }
        };
        let Exported { fixture, step, warnings } = export(&event, &known, options.plugin.as_deref());
        for warning in warnings {
            say(&format!("warning: {id}: {warning}"));
        }
        match &options.out {
            Some(folder) => {
                let file = write(folder, &id, &fixture)?;
                let step = step.map(|step| format!("  {step}")).unwrap_or_default();
                print(&format!("{}{step}", file.display()));
            }
            None if options.admin.json => print(&fixture.to_string()),
            None => fixtures.push(fixture),
        }
    }
    match fixtures.as_slice() {
        [] => {}
        [one] => print(&format!("{one:#}")),
        several => print(&format!("{:#}", json!(several))),
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// An existing file stays: somebody may have made a test of it.
fn write(folder: &Path, id: &str, fixture: &Value) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let file = folder.join(format!("{}.json", segment(id)));
    let new = File::create_new(&file);
    let mut new =
        new.with_context(|| format!("{} cannot be written; is it there already?", file.display()))?;
    writeln!(new, "{fixture:#}").with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(file)
}

/// The event with the configuration of a step and what that step said.
fn export(event: &Value, known: &Known, plugin: Option<&str>) -> Exported {
    let mut warnings: Vec<_> = masked(event).into_iter().collect();
    let mut fixture = json!({ "event": event_file(event) });
    let Some(place) = choose(event, plugin) else {
        let of = plugin.map(|plugin| format!(" of {plugin}")).unwrap_or_default();
        warnings.push(format!("it has no step{of} whose plugin was there: the file says only what came in"));
        return Exported { fixture, step: None, warnings };
    };
    let said = |key: &str| place.record[key].as_str().unwrap_or_default();
    let (name, verdict) = (said("plugin"), said("verdict"));
    match config(place, &known.routes) {
        Some(Value::Null) => {}
        Some(config) => fixture["config"] = config,
        None => warnings.push(format!(
            "no route {} with a step {name} any more: its config is not known",
            place.run["route"]
        )),
    }
    if changed_before(place) {
        warnings.push(format!("steps before {name} changed the event; the file has it as it was received"));
    }
    fixture["expect"] = expect(place.record, exports(name, &known.plugins));
    Exported { fixture, step: Some(format!("{name}: {verdict}")), warnings }
}

/// What came in, decompressed. Values that are `null` are left out. JSON without a content type is
/// written as text, because a JSON body says that it is some.
fn event_file(event: &Value) -> Value {
    let mut file = Map::new();
    for key in EVENT {
        if let Some(value) = event.get(key).filter(|value| key == "body" || !value.is_null()) {
            file.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(decoded) = event.get("decoded").and_then(Value::as_object) {
        // A step sees what is inside, and not how it came.
        file.retain(|key, _| !key.starts_with("body"));
        file.extend(decoded.clone());
        if let Some(headers) = file.get_mut("headers").and_then(Value::as_object_mut) {
            headers.remove("content-encoding");
        }
    }
    let typed = event["headers"].get("content-type").is_some();
    if !typed && let Some(body) = file.remove("body") {
        file.insert("body_text".to_owned(), json!(body.to_string()));
    }
    Value::Object(file)
}

/// The step to export: that of the plugin, or the one that failed, or the last one; of
/// the newest run first.
fn choose<'a>(event: &'a Value, plugin: Option<&str>) -> Option<Place<'a>> {
    let mut runs: Vec<_> = event["runs"].as_array().into_iter().flatten().collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run["generation"].as_u64()));
    let places: Vec<_> = runs
        .into_iter()
        .flat_map(|run| {
            let steps = run["steps"].as_array().into_iter().flatten().enumerate();
            steps.map(move |(index, record)| Place { run, index, record })
        })
        .filter(|place| plugin.is_none_or(|plugin| place.record["plugin"] == plugin))
        .filter(|place| place.record["verdict"] != "missing")
        .collect();
    let failed = places.iter().find(|place| key(place.record, false) == "error");
    let last_of_first = || {
        let run = places.first()?.run;
        places.iter().take_while(|place| std::ptr::eq(place.run, run)).last()
    };
    failed.or_else(last_of_first).copied()
}

/// Its configuration as the route has it now; `None`: the route has no such step.
fn config(place: Place<'_>, routes: &[Value]) -> Option<Value> {
    let route = routes.iter().find(|route| route["name"] == place.run["route"])?;
    let steps = route["steps"].as_array()?;
    let same = |step: &&Value| step["plugin"] == place.record["plugin"];
    // Behind a split there are more records than steps.
    let step = steps.get(place.index).filter(same).or_else(|| steps.iter().find(same))?;
    Some(step["config"].clone())
}

/// Whether an earlier step made another event of it.
fn changed_before(place: Place<'_>) -> bool {
    let earlier = place.run["steps"].as_array().into_iter().flatten().take(place.index);
    earlier.into_iter().any(|step| step["verdict"] == "replace" || step["verdict"] == "split")
}

fn exports<'a>(plugin: &str, plugins: &'a [Value]) -> impl Iterator<Item = &'a str> {
    let found = plugins.iter().find(move |known| known["name"] == plugin);
    let exports = found.and_then(|plugin| plugin["serving"]["exports"].as_array());
    exports.into_iter().flatten().filter_map(Value::as_str)
}

/// What happened, as if it had been expected: to be edited to what should happen.
fn expect<'a>(record: &Value, mut exports: impl Iterator<Item = &'a str>) -> Value {
    let verdict = record["verdict"].as_str().unwrap_or_default();
    let key = key(record, exports.any(|export| export == "transform"));
    let mut expect = json!({ key: if verdict == "error" { "other" } else { verdict } });
    if let Some(reason) = record["reason"].as_str() {
        // A long one was cut, and a fixture expects a part of it.
        expect["reason"] = json!(reason.strip_suffix('…').unwrap_or(reason));
    }
    expect
}

/// Under which key a fixture expects that verdict.
fn key(record: &Value, transforms: bool) -> &'static str {
    match record["verdict"].as_str().unwrap_or_default() {
        "drop" if transforms => "outcome",
        "pass" | "drop" => "verdict",
        "unchanged" | "replace" | "split" => "outcome",
        _ => "error",
    }
}

/// Which headers, and which parameters of the query, hide a credential.
fn masked(event: &Value) -> Option<String> {
    let hides = |value: &Value| match value {
        Value::String(text) => text.contains(MASK),
        Value::Array(values) => values.iter().any(|value| value.as_str().is_some_and(|v| v.contains(MASK))),
        _ => false,
    };
    let headers = event["headers"].as_object().into_iter().flatten();
    let headers = headers.filter(|(_, value)| hides(value)).map(|(name, _)| name.clone());
    let query = event["query"].as_str().unwrap_or_default();
    let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    let parameters =
        parameters.filter(|(_, value)| *value == MASK).map(|(name, _)| format!("{name} of the query"));
    let names: Vec<_> = headers.chain(parameters).collect();
    (!names.is_empty()).then(|| format!("masked, as plugins see it too: {}", names.join(", ")))
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
