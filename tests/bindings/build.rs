//! Generates from `wit/` what `plugin-sdk/src/bindings/` keeps, into `OUT_DIR`.

#![expect(clippy::unwrap_used, reason = "a build that cannot go on fails where it stands")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use wit_bindgen_core::wit_parser::{Resolve, UnresolvedPackageGroup, WorldId};
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::{Opts, WithOption};

const PACKAGE: &str = "hookloom:plugin";
const VERSION: &str = "0.1.0";

/// What every file begins with.
const HEAD: &str = "\
//! Generated from `wit/` by `tests/bindings`, and kept: nobody who writes a plugin waits for
//! the generator.
";

/// One file of bindings. Each exported interface is a world of its own, so that a plugin
/// can export any set of them; the linker merges the worlds that the plugin names.
struct Bindings {
    /// The file's stem.
    name: &'static str,
    /// What the world has: the verb, and interfaces of the contract.
    items: (&'static str, &'static [&'static str]),
    /// Types of the contract that the SDK has itself.
    own: &'static [(&'static str, &'static str)],
}

const BINDINGS: [Bindings; 7] = [
    Bindings {
        name: "free",
        items: ("import", &["log", "clock", "random", "metrics"]),
        own: &[("log/level", "log::Level"), ("log/field", "log::Field")],
    },
    Bindings {
        name: "granted",
        items: ("import", &["kv", "secrets", "reveal"]),
        own: &[("kv/error", "kv::Error"), ("secrets/error", "secrets::Error")],
    },
    Bindings {
        name: "lifecycle",
        items: ("export", &["lifecycle"]),
        own: &[("lifecycle/metadata", "Metadata")],
    },
    Bindings {
        name: "filter",
        items: ("export", &["filter"]),
        own: &[
            ("types/header", "Header"),
            ("types/attribute", "Attribute"),
            ("types/event", "Event"),
            ("types/error", "Error"),
            ("filter/verdict", "Verdict"),
        ],
    },
    Bindings {
        name: "transform",
        items: ("export", &["transform"]),
        own: &[
            ("types/header", "Header"),
            ("types/attribute", "Attribute"),
            ("types/event", "Event"),
            ("types/message", "Message"),
            ("types/error", "Error"),
            ("transform/outcome", "Outcome"),
        ],
    },
    Bindings {
        name: "verify",
        items: ("export", &["verify"]),
        own: &[
            ("types/header", "Header"),
            ("types/attribute", "Attribute"),
            ("verify/acceptance", "Acceptance"),
            ("verify/response", "Reply"),
            ("verify/verification", "Verification"),
        ],
    },
    Bindings {
        name: "classify",
        items: ("export", &["classify"]),
        own: &[("types/header", "Header"), ("classify/decision", "Decision")],
    },
];

impl Bindings {
    /// The contract, and beside it the world to generate.
    fn resolve(&self, contract: &Path) -> (Resolve, WorldId) {
        let mut resolve = Resolve::default();
        resolve.push_dir(contract).unwrap();
        let (verb, interfaces) = self.items;
        let items: Vec<_> =
            interfaces.iter().map(|interface| format!("{verb} {PACKAGE}/{interface}@{VERSION};")).collect();
        let text = format!("package hookloom:sdk; world {}-part {{ {} }}", self.name, items.concat());
        let package = resolve.push_group(UnresolvedPackageGroup::parse("sdk.wit", &text).unwrap()).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        (resolve, world)
    }

    fn generate(&self, contract: &Path) -> String {
        let (mut resolve, world) = self.resolve(contract);
        let with = self.own.iter().map(|(of_contract, own)| {
            let (interface, name) = of_contract.split_once('/').unwrap();
            let key = format!("{PACKAGE}/{interface}@{VERSION}/{name}");
            (key, WithOption::Path(format!("crate::{own}")))
        });
        let options = Opts {
            format: true,
            generate_all: true,
            with: with.collect(),
            export_macro_name: Some(format!("export_{}", self.name)),
            pub_export_macro: true,
            default_bindings_module: Some(format!("hookloom_sdk::__private::bindings::{}", self.name)),
            ..Opts::default()
        };
        let mut files = Files::default();
        options.build().generate(&mut resolve, world, &mut files).unwrap();
        let (_, source) = files.iter().next().unwrap();
        format!("{HEAD}\n{}", str::from_utf8(source).unwrap())
    }
}

fn main() {
    let contract = Path::new("../../wit").join(format!("v{VERSION}"));
    println!("cargo::rerun-if-changed={}", contract.display());
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    for bindings in &BINDINGS {
        fs::write(out.join(bindings.name).with_extension("rs"), bindings.generate(&contract)).unwrap();
    }
}
