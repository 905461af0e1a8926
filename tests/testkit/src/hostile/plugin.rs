//! A transform plugin around a few lines of a core module.

use std::fmt::Write as _;

/// What a module gets that does not say otherwise: it describes itself as nothing, takes
/// every configuration and leaves every event as it is. Each is found by its export.
const DEFAULTS: [(&str, &str); 5] = [
    ("memory", r#"(memory (export "memory") 16)"#),
    (
        "realloc",
        r#"(global $next (mut i32) (i32.const 65536))
(func (export "realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
  (global.set $next (i32.add (local.get $at) (local.get 3)))
  (local.get $at))"#,
    ),
    ("describe", r#"(func (export "describe") (result i32) (i32.const 0))"#),
    ("configure", r#"(func (export "configure") (param i32 i32) (result i32) (i32.const 0))"#),
    ("transform", r#"(func (export "transform") (param i32) (result i32) (i32.const 0))"#),
];

/// Named types as the contract has them; `$` begins the name of one of them.
type Types = [(&'static str, &'static str)];

const LIFECYCLE: &Types = &[(
    "metadata",
    r#"(record (field "name" string) (field "version" string) (field "description" string)
      (field "needs-body" bool) (field "header-names" (option (list string)))
      (field "config-schema" (option string)))"#,
)];

const TRANSFORM: &Types = &[
    ("header", r#"(record (field "name" string) (field "value" string))"#),
    ("attribute", r#"(record (field "name" string) (field "value" string))"#),
    (
        "event",
        r#"(record (field "id" string) (field "source" string) (field "event-type" (option string))
      (field "received-at-ms" u64) (field "method" string) (field "path" string)
      (field "query" (option string)) (field "headers" (list $header))
      (field "content-type" (option string)) (field "body" (list u8))
      (field "attributes" (list $attribute)))"#,
    ),
    (
        "message",
        r#"(record (field "body" (option (list u8))) (field "content-type" (option string))
      (field "set-headers" (list $header)) (field "remove-headers" (list string))
      (field "event-type" (option string)) (field "destinations" (option (list string)))
      (field "attributes" (list $attribute)) (field "idempotency-suffix" (option string)))"#,
    ),
    (
        "error",
        r#"(variant (case "invalid-input" string) (case "misconfigured" string) (case "retry" string)
      (case "other" string))"#,
    ),
    (
        "outcome",
        r#"(variant (case "unchanged") (case "replace" $message) (case "split" (list $message))
      (case "drop" string))"#,
    ),
];

const DESCRIBE: (&str, &str) = ("describe", "(result $metadata)");
const CONFIGURE: (&str, &str) = ("configure", r#"(param "config" string) (result (result (error string)))"#);
const CALL: (&str, &str) =
    ("transform", r#"(param "event" $event) (result (result $outcome (error $error)))"#);

/// The component around `guest`, which is as the files of `tests/guests/wat` are.
///
/// # Panics
/// When the text is not WebAssembly.
pub fn component(guest: &str) -> Vec<u8> {
    component_and(guest, "")
}

/// The same with other fields of the component at its end.
///
/// # Panics
/// When the text is not WebAssembly.
pub fn component_and(guest: &str, fields: &str) -> Vec<u8> {
    wat::parse_str(text(guest, fields)).unwrap_or_else(|error| panic!("{error}"))
}

fn text(guest: &str, fields: &str) -> String {
    let (around, module) = guest.split_once(";; module\n").unwrap_or(("", guest));
    let with =
        if around.contains("(core instance $host ") { r#" (with "host" (instance $host))"# } else { "" };
    let mut text = format!("(component\n{around}\n(core module $module\n{module}\n");
    for (export, field) in DEFAULTS {
        if !module.contains(&format!("(export \"{export}\")")) {
            text += field;
            text.push('\n');
        }
    }
    // Writing to a `String` does not fail.
    let _ = write!(
        text,
        ")\n(core instance $guest (instantiate $module{with}))\n\
         (alias core export $guest \"memory\" (core memory $memory))\n\
         (alias core export $guest \"realloc\" (core func $realloc))\n"
    );
    interface(&mut text, "lifecycle", LIFECYCLE, &[DESCRIBE, CONFIGURE]);
    interface(&mut text, "transform", TRANSFORM, &[CALL]);
    text + fields + ")"
}

/// Lifts functions of the module and exports them as an interface of the contract. The
/// component in between gives the types their names, without which they are no export.
fn interface(text: &mut String, name: &str, types: &Types, functions: &[(&str, &str)]) {
    let of = |text: &str, place: &str| text.replace('$', &format!("${place}-"));
    let mut inner = String::new();
    let mut arguments = String::new();
    for (type_name, definition) in types {
        let _ = writeln!(text, "(type $outer-{type_name} {})", of(definition, "outer"));
        let _ = writeln!(inner, "(type $in-def-{type_name} {})", of(definition, "in"));
        let import = format!("(import \"type-{type_name}\" (type $in-{type_name} (eq $in-def-{type_name})))");
        let _ = writeln!(inner, "{import}");
        let _ = write!(arguments, " (with \"type-{type_name}\" (type $outer-{type_name}))");
    }
    for (function, signature) in functions {
        let _ = writeln!(
            text,
            "(func $lifted-{function} {} (canon lift (core func $guest \"{function}\") (memory $memory) \
             (realloc (core func $realloc))))",
            of(signature, "outer")
        );
        let _ = writeln!(inner, "(import \"func-{function}\" (func $in-{function} {}))", of(signature, "in"));
        let _ = write!(arguments, " (with \"func-{function}\" (func $lifted-{function}))");
    }
    for (type_name, definition) in types {
        let _ = writeln!(inner, "(type $out-def-{type_name} {})", of(definition, "out"));
        let _ = writeln!(
            inner,
            "(export $out-{type_name} \"{type_name}\" (type $in-{type_name}) (type (eq $out-def-{type_name})))"
        );
    }
    for (function, signature) in functions {
        let _ =
            writeln!(inner, "(export \"{function}\" (func $in-{function}) (func {}))", of(signature, "out"));
    }
    let _ = writeln!(
        text,
        "(component ${name}\n{inner})\n(instance ${name}-of-guest (instantiate ${name}{arguments}))\n\
         (export \"hookloom:plugin/{name}@0.1.0\" (instance ${name}-of-guest))"
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_written_guest_is_a_component() {
        for name in crate::hostile::names() {
            assert!(crate::hostile::written(&name).starts_with(b"\0asm\x0d\0\x01\0"), "{name}");
        }
    }
}
