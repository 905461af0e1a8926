//! Whether a file is a plugin, judged before any of its code runs. A refusal names
//! what is wrong and what to do about it.

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::settings::Grants;

/// The package of the contract.
const PACKAGE: &str = "hookloom:plugin/";
/// The version of it that is served.
pub(super) const CONTRACT: &str = "0.1.0";
/// What the served versions begin with: a later patch only adds, so that a component
/// built against one loads as long as it uses nothing that was added.
const COMPATIBLE: &str = "0.1.";
/// The same for people.
const SERVED: &str = "0.1.0 to 0.1.x";
/// What a plugin can be asked for.
const CAPABILITIES: [&str; 4] = ["filter", "transform", "verify", "classify"];
/// Imports that everyone may have.
const OPEN: [&str; 5] = ["types", "log", "clock", "random", "metrics"];
/// Imports that need a grant.
const GRANTED: [&str; 3] = ["kv", "secrets", "reveal"];
/// Packages of WASI preview 2 that are linked; nothing is granted through them.
const WASI: [&str; 6] =
    ["wasi:cli/", "wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:filesystem/", "wasi:sockets/"];

/// What a component says of itself without being run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interfaces {
    /// The capabilities it exports.
    pub(super) exports: Vec<String>,
    /// The interfaces of which it imports more than types, with their versions.
    pub(super) imports: Vec<String>,
}

/// Looks at the first bytes: is this a component at all?
pub(super) fn check_bytes(bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    if Engine::detect_precompiled(bytes).is_some() || bytes.starts_with(b"\x7fELF") {
        return Err("precompiled code, which is not taken because it could do anything; put the .wasm file \
                    that it was made from here"
            .into());
    }
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"(module") || text.starts_with(b"(component") {
        return Err("WebAssembly in text form; make a binary component of it (`wasm-tools parse`)".into());
    }
    match bytes.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => Ok(()),
        Some(b"\0asm\x01\0\0\0") => {
            Err("a core module, not a component: build with `--target wasm32-wasip2` (Rust), \
             or make a component of it with `wasm-tools component new`"
                .into())
        }
        Some([b'\0', b'a', b's', b'm', ..]) => {
            Err("made by a toolchain of another component format; build it with a current one".into())
        }
        _ => Err("not WebAssembly; is the file complete?".into()),
    }
}

/// The interfaces of a compiled component, if it is a plugin of this contract.
pub(super) fn check_interfaces(engine: &Engine, component: &Component) -> Result<Interfaces, String> {
    let ty = component.component_type();
    let exports: Vec<_> = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let imports: Vec<_> = ty.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let mut interfaces = check_names(&exports, imports)?;
    // Only what can be called needs a grant: who imports `reveal` imports the error type of
    // `secrets` as well, and no more of it.
    let types_alone: Vec<_> = ty
        .imports(engine)
        .filter(|(_, import)| has_types_alone(engine, &import.ty))
        .map(|(name, _)| name)
        .collect();
    interfaces.imports.retain(|name| !types_alone.contains(&name.as_str()));
    Ok(interfaces)
}

fn has_types_alone(engine: &Engine, import: &ComponentItem) -> bool {
    let ComponentItem::ComponentInstance(interface) = import else { return false };
    interface.exports(engine).all(|(_, export)| matches!(export.ty, ComponentItem::Type(_)))
}

fn check_names(exports: &[String], imports: Vec<String>) -> Result<Interfaces, String> {
    let ours: Vec<_> = exports.iter().filter_map(|name| split(name)).collect();
    if let Some((interface, version)) = ours.iter().find(|(_, version)| !is_served(version)) {
        return Err(format!(
            "exports `{interface}`: contract {version} wanted, {SERVED} served; build it against {CONTRACT}"
        ));
    }
    let has = |wanted: &str| ours.iter().any(|(interface, _)| *interface == wanted);
    let capabilities: Vec<_> = CAPABILITIES.into_iter().filter(|name| has(name)).map(str::to_owned).collect();
    if !has("lifecycle") || capabilities.is_empty() {
        let missing =
            if has("lifecycle") { "none of filter, transform, verify, classify" } else { "no lifecycle" };
        return Err(format!(
            "not a plugin: it exports {missing} of `hookloom:plugin@{CONTRACT}`; build it with the SDK or against \
             one of the worlds of the contract"
        ));
    }
    for import in &imports {
        check_import(import)?;
    }
    Ok(Interfaces { exports: capabilities, imports })
}

fn check_import(name: &str) -> Result<(), String> {
    if let Some((interface, version)) = split(name) {
        if !is_served(version) {
            return Err(format!(
                "imports `{interface}`: contract {version} wanted, {SERVED} served; build it against {CONTRACT}"
            ));
        }
        if OPEN.contains(&interface) || GRANTED.contains(&interface) {
            return Ok(());
        }
        return Err(format!("imports `{interface}`, which the contract {CONTRACT} does not have"));
    }
    if name.starts_with("wasi:http/") {
        return Err(format!("imports `{name}`: not available to plugins, which have no network"));
    }
    match name.split_once('@') {
        Some((_, version)) if WASI.iter().any(|package| name.starts_with(package)) => {
            if version.starts_with("0.2.") {
                return Ok(());
            }
            Err(format!(
                "imports `{name}`: WASI {version} wanted, 0.2 served; build it with `--target wasm32-wasip2` (Rust)"
            ))
        }
        _ => Err(format!(
            "imports `{name}`: not available to plugins, which may import `hookloom:plugin` and WASI 0.2 \
             (io, clocks, random, cli, filesystem and sockets, with no file and no network behind them)"
        )),
    }
}

/// Whether that version of the contract is served.
fn is_served(version: &str) -> bool {
    version.strip_prefix(COMPATIBLE).is_some_and(|patch| patch.parse::<u32>().is_ok())
}

/// The kind of grant that an import needs, by its name: `kv`, `secrets`, `reveal`.
pub fn needs_grant(import: &str) -> Option<&'static str> {
    let (interface, _) = split(import)?;
    GRANTED.into_iter().find(|kind| *kind == interface)
}

/// Whether the plugin was granted each kind of what it imports. A refusal names the very
/// line that grants it.
pub(super) fn check_grants(plugin: &str, imports: &[String], grants: &Grants) -> Result<(), String> {
    let imported = |kind: &&str| imports.iter().any(|name| needs_grant(name) == Some(*kind));
    let missing: Vec<_> =
        GRANTED.into_iter().filter(imported).filter(|kind| !is_granted(kind, grants)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.iter().map(|kind| if *kind == "kv" { "kv".into() } else { format!("{kind}:NAME") });
    let lines: Vec<_> =
        grants.written().into_iter().chain(wanted).map(|grant| format!("\"{grant}\"")).collect();
    let (verb, are) = (
        if lines.len() > missing.len() { "set" } else { "add" },
        if missing.len() > 1 { "are" } else { "is" },
    );
    let name = if missing == ["kv"] { "" } else { ", where NAME is one of [secrets]" };
    Err(format!(
        "imports {}, which {are} not granted: {verb} grants = [{}] under [plugin.{}]{name}",
        missing.join(" and "),
        lines.join(", "),
        toml_key(plugin),
    ))
}

fn is_granted(kind: &str, grants: &Grants) -> bool {
    match kind {
        "kv" => grants.kv,
        "secrets" => !grants.secrets.is_empty(),
        _ => !grants.reveal.is_empty(),
    }
}

/// As a key of a table's header is written.
fn toml_key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { name.to_owned() } else { format!("{name:?}") }
}

/// Interface and version of a name like `hookloom:plugin/filter@0.1.0`.
fn split(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.split_once('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(exports: &[&str], imports: &[&str]) -> Result<Interfaces, String> {
        let owned = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).to_owned()).collect() };
        check_names(&owned(exports), owned(imports))
    }

    const PLUGIN: [&str; 2] = ["hookloom:plugin/lifecycle@0.1.0", "hookloom:plugin/filter@0.1.0"];

    #[test]
    fn a_plugin_exports_the_lifecycle_and_a_capability() {
        assert_eq!(names(&PLUGIN, &[]).unwrap().exports, ["filter"]);
        let refused = |exports: &[&str]| names(exports, &[]).unwrap_err();
        assert!(refused(&[]).contains("no lifecycle"));
        assert!(refused(&PLUGIN[..1]).contains("none of filter"));
        let newer = refused(&["hookloom:plugin/filter@0.2.0"]);
        assert!(newer.contains("contract 0.2.0 wanted, 0.1.0 to 0.1.x served"), "{newer}");
        assert!(refused(&["hookloom:plugin/filter@0.1.0-rc.1"]).contains("contract 0.1.0-rc.1 wanted"));
        let patched = ["hookloom:plugin/lifecycle@0.1.7", "hookloom:plugin/filter@0.1.7"];
        assert_eq!(names(&patched, &["hookloom:plugin/log@0.1.2"]).unwrap().exports, ["filter"]);
    }

    #[test]
    fn imports_are_refused_by_name() {
        let cases = [
            ("hookloom:plugin/log@0.1.0", None),
            ("wasi:cli/stdout@0.2.6", None),
            // The standard library imports it; what it dials is refused.
            ("wasi:sockets/tcp@0.2.6", None),
            ("hookloom:plugin/kv@0.1.0", None),
            ("hookloom:plugin/log@0.9.0", Some("contract 0.9.0 wanted, 0.1.0 to 0.1.x served")),
            ("hookloom:plugin/mail@0.1.0", Some("`mail`")),
            ("wasi:http/outgoing-handler@0.2.3", Some("not available to plugins, which have no network")),
            ("wasi:cli/stdout@0.3.0", Some("WASI 0.3.0 wanted, 0.2 served")),
            ("wasi:nn/graph@0.2.0", Some("`wasi:nn/graph@0.2.0`: not available to plugins")),
            ("acme:db/query", Some("`acme:db/query`: not available to plugins")),
            ("free-function", Some("`free-function`: not available to plugins")),
        ];
        for (import, refusal) in cases {
            match (names(&PLUGIN, &[import]), refusal) {
                (Ok(found), None) => assert_eq!(found.imports, [import]),
                (Err(message), Some(part)) => assert!(message.contains(part), "{import}: {message}"),
                (other, _) => panic!("{import}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_granted_is_refused_with_the_line_that_grants_it() {
        let check = |plugin: &str, imports: &[&str], grants: &Grants| {
            let imports: Vec<_> = imports.iter().map(|i| format!("hookloom:plugin/{i}@0.1.0")).collect();
            check_grants(plugin, &imports, grants)
        };
        let none = Grants::default();
        let kv = Grants { kv: true, ..Grants::default() };
        let key = Grants { secrets: ["KEY".to_owned()].into(), ..Grants::default() };
        assert_eq!(check("enrich", &["log", "metrics"], &none), Ok(()));
        assert_eq!(
            check("enrich", &["log", "kv"], &none).unwrap_err(),
            r#"imports kv, which is not granted: add grants = ["kv"] under [plugin.enrich]"#
        );
        assert_eq!(
            check("en.rich", &["kv", "secrets"], &kv).unwrap_err(),
            r#"imports secrets, which is not granted: set grants = ["kv", "secrets:NAME"] under [plugin."en.rich"], where NAME is one of [secrets]"#
        );
        assert_eq!(
            check("e", &["kv", "reveal"], &key).unwrap_err(),
            r#"imports kv and reveal, which are not granted: set grants = ["secrets:KEY", "kv", "reveal:NAME"] under [plugin.e], where NAME is one of [secrets]"#
        );
        assert_eq!(check("e", &["kv"], &kv), Ok(()));
        assert_eq!(check("e", &["secrets"], &key), Ok(()));
        assert!(check("e", &["reveal"], &key).is_err(), "to sign is not to read");
    }

    #[test]
    fn what_is_no_component_is_refused_with_a_remedy() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "empty"),
            (b"\0asm\x01\0\0\0", "--target wasm32-wasip2"),
            (b"\0asm\x0c\0\x01\0", "another component format"),
            (b"\x7fELF\x02", "precompiled"),
            (b" (module)", "text form"),
            (b"\0as", "complete"),
        ];
        for (bytes, part) in cases {
            let message = check_bytes(bytes).unwrap_err();
            assert!(message.contains(part), "{bytes:?}: {message}");
        }
        assert_eq!(check_bytes(b"\0asm\x0d\0\x01\0"), Ok(()));
    }
}
