//! Plugins in C: clang compiles, and the linker that comes with Rust makes a component.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::cargo;
use super::rust::STACK_BYTES;
use super::tool::Tools;
use super::world::{self, World};
use super::{Artefact, Template};
use crate::cli::plugin::build::BuildOptions;
use crate::cli::plugin::new::Kind;

const REMEDY: &str =
    "plugins in C need clang and a C library for WebAssembly: `apt-get install clang wasi-libc`";
/// The C library is of preview 1; the linker adapts it.
const TARGET: &str = "--target=wasm32-wasi";
/// What is for tests, which are compiled for the machine that they run on.
const TEST_SUFFIX: &str = "_test.c";

macro_rules! template {
    ($file:literal) => {
        include_str!(concat!("../../../../templates/plugin/c/", $file))
    };
}

pub(super) fn templates(kind: Kind) -> Vec<Template> {
    let (plugin, test, exports, contract_h, contract_c) = match kind {
        Kind::Filter => (
            template!("filter.c"),
            template!("filter_test.c"),
            template!("hookloom/filter.c"),
            template!("contract/filter/contract.h"),
            template!("contract/filter/contract.c"),
        ),
        Kind::Transform => (
            template!("transform.c"),
            template!("transform_test.c"),
            template!("hookloom/transform.c"),
            template!("contract/transform/contract.h"),
            template!("contract/transform/contract.c"),
        ),
    };
    vec![
        (".gitignore", template!("gitignore")),
        ("Makefile", template!("Makefile")),
        ("README.md", template!("README.md")),
        ("hookloom/component.c", template!("hookloom/component.c")),
        ("hookloom/component.h", template!("hookloom/component.h")),
        ("hookloom/contract.c", contract_c),
        ("hookloom/contract.h", contract_h),
        ("hookloom/exports.c", exports),
        ("hookloom/hookloom.c", template!("hookloom/hookloom.c")),
        ("hookloom/hookloom.h", template!("hookloom/hookloom.h")),
        ("hookloom/json.c", template!("hookloom/json.c")),
        ("hookloom/memory.h", template!("hookloom/memory.h")),
        ("plugin.c", plugin),
        ("plugin_test.c", test),
    ]
}

pub(super) fn build(folder: &Path, options: &BuildOptions) -> anyhow::Result<Artefact> {
    let tools = Tools::new(folder, options.quiet)?;
    World::read(&tools.folder)?;
    let linker = Linker::find(&tools)?;
    check_libc(&tools)?;

    let wit = world::stage(&tools.folder, &tools.build_folder())?;
    let mut command = tools.command("clang");
    command.args([TARGET, "-mexec-model=reactor", "-std=c17", "-O2", "-Wall", "-Wextra", "-I."]);
    command.args(sources(&tools.folder)?);
    // The C library alone: nothing here needs the compiler's own, which is one more package.
    command.args(["-nodefaultlibs", "-lc"]).arg(flag("-fuse-ld=", &linker.component));
    command.arg(flag("-Wl,--wasm-ld-path,", &linker.wasm)).arg(flag("-Wl,--component-type,", &wit));
    // First in memory, so that a stack that overflows is a trap and not other data.
    command.arg(format!("-Wl,-z,stack-size={STACK_BYTES}")).arg("-Wl,--stack-first");
    command.args(["-Wl,--gc-sections", "-Wl,--strip-debug"]);
    command.arg("-o").arg(tools.component());
    let warnings = tools.run("compiling", command, REMEDY)?;
    if !options.quiet && !warnings.is_empty() {
        crate::cli::say(&warnings);
    }
    Ok(Artefact { path: tools.component(), name: tools.name })
}

fn flag(name: &str, value: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(value);
    flag
}

/// Every `*.c` of the plugin's folder and of `hookloom/`, tests aside.
fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for folder in [folder.to_owned(), folder.join("hookloom")] {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".c") && !name.ends_with(TEST_SUFFIX) {
                sources.push(path);
            }
        }
    }
    sources.sort();
    Ok(sources)
}

/// The linkers that every Rust brings: one makes a component of what the other links.
struct Linker {
    component: PathBuf,
    wasm: PathBuf,
}

impl Linker {
    fn find(tools: &Tools) -> anyhow::Result<Self> {
        let remedy =
            "plugins in C are linked with what comes with Rust: install it as https://rustup.rs says";
        let rustc = |arguments: &[&str]| {
            let mut command = cargo::command("rustc", &tools.folder);
            command.args(arguments);
            tools.ask(command, remedy)
        };
        let libraries = rustc(&["--print", "target-libdir"])?;
        let bin = Path::new(&libraries).with_file_name("bin");
        let linker = Self { component: bin.join("wasm-component-ld"), wasm: bin.join("gcc-ld/wasm-ld") };
        for tool in [&linker.component, &linker.wasm] {
            anyhow::ensure!(
                tool.is_file(),
                "{}: {} is missing\n    help: {remedy}",
                tools.name,
                tool.display()
            );
        }
        Ok(linker)
    }
}

/// Clang answers a file that it does not know with its mere name.
fn check_libc(tools: &Tools) -> anyhow::Result<()> {
    let mut command = tools.command("clang");
    command.args([TARGET, "--print-file-name=libc.a"]);
    let path = tools.ask(command, REMEDY)?;
    anyhow::ensure!(
        Path::new(&path).is_file(),
        "{}: clang has no C library for WebAssembly\n    help: {REMEDY}",
        tools.name
    );
    Ok(())
}
