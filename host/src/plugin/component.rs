//! Whether a file is a plugin, judged before any of its code runs. A refusal names
//! what is wrong and what to do about it.

use wasmtime::Engine;
use wasmtime::component::Component;

/// The package of the contract.
const PACKAGE: &str = "hookloom:plugin/";
/// The version of it that is served.
pub(super) const CONTRACT: &str = "0.1.0";
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
    /// The interfaces it imports, with their versions.
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
    check_names(&exports, imports)
}

fn check_names(exports: &[String], imports: Vec<String>) -> Result<Interfaces, String> {
    let ours: Vec<_> = exports.iter().filter_map(|name| split(name)).collect();
    if let Some((interface, version)) = ours.iter().find(|(_, version)| *version != CONTRACT) {
        return Err(format!(
            "exports `{interface}` of contract version {version}, and this gateway serves {CONTRACT}: build it \
             against that version"
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
        if version != CONTRACT {
            return Err(format!(
                "imports `{interface}` of contract version {version}, and this gateway has {CONTRACT}"
            ));
        }
        if OPEN.contains(&interface) {
            return Ok(());
        }
        if GRANTED.contains(&interface) {
            let grant = if interface == "kv" { "kv".into() } else { format!("{interface}:NAME") };
            return Err(format!(
                "imports `{interface}`, which needs the grant `{grant}`; grants are not supported by this version"
            ));
        }
        return Err(format!("imports `{interface}`, which the contract {CONTRACT} does not have"));
    }
    if WASI.iter().any(|package| name.starts_with(package)) && name.contains("@0.2.") {
        return Ok(());
    }
    if name.starts_with("wasi:http/") {
        return Err(format!("imports `{name}`: plugins have no network"));
    }
    Err(format!("imports `{name}`, which this gateway does not have"))
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
        assert!(refused(&["hookloom:plugin/filter@0.2.0"]).contains("0.2.0"));
    }

    #[test]
    fn imports_are_refused_by_name() {
        let cases = [
            ("hookloom:plugin/log@0.1.0", None),
            ("wasi:cli/stdout@0.2.6", None),
            ("hookloom:plugin/kv@0.1.0", Some("imports `kv`, which needs the grant `kv`")),
            ("hookloom:plugin/secrets@0.1.0", Some("the grant `secrets:NAME`")),
            ("hookloom:plugin/log@0.9.0", Some("0.9.0")),
            ("hookloom:plugin/mail@0.1.0", Some("`mail`")),
            ("wasi:http/outgoing-handler@0.2.3", Some("no network")),
            ("wasi:cli/stdout@0.3.0", Some("wasi:cli/stdout@0.3.0")),
            ("acme:db/query", Some("acme:db/query")),
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
