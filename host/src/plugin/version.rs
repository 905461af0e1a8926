//! One version of a plugin: compiled, linked and tested, ready for instances.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{AsContextMut, Engine, PoolConcurrencyLimitError, Store};

use super::bindings::v0_1_0::exports::hookloom::plugin::{classify, filter, lifecycle, transform, verify};
use super::cache::{self, Cache};
use super::call::{self, Failure};
use super::compiler::Compiler;
use super::component::{self, Interfaces};
use super::guest::{Guest, Shared};
use super::limits::{DESCRIPTION_BYTES, Limits};
use super::settings::{Grants, Policy};
use crate::model::Millis;

/// In bytes; the unit of a component's declared memory.
const WASM_PAGE: u64 = 64 << 10;

/// A component that may be called.
pub(super) struct Version {
    pub(super) pre: InstancePre<Guest>,
    pub(super) exports: Exports,
    pub(super) metadata: Metadata,
    pub(super) interfaces: Interfaces,
    /// SHA-256 of the file, in hex.
    pub(super) digest: String,
    /// The file's, in bytes.
    pub(super) size: u64,
    /// Its largest linear memory as an instance starts, in bytes.
    pub(super) memory: u64,
    /// Zero when the code came from the cache.
    pub(super) compile_time: Duration,
    pub(super) cached: bool,
    pub(super) loaded_at: Millis,
}

/// Where the functions are that the host calls.
pub(super) struct Exports {
    pub(super) lifecycle: lifecycle::GuestIndices,
    pub(super) filter: Option<filter::GuestIndices>,
    pub(super) transform: Option<transform::GuestIndices>,
    pub(super) verify: Option<verify::GuestIndices>,
    pub(super) classify: Option<classify::GuestIndices>,
}

/// What `describe` said, as far as it matters later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) needs_body: bool,
    pub(super) header_names: Option<Vec<String>>,
    pub(super) config_schema: Option<String>,
}

/// Why there is no version, or none that takes its configuration; with a message for whoever
/// put the file there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is the file's doing: it comes to the same each time.
    File(String),
    /// The machine was not able to tell, now; it may be later.
    Machine(String),
}

impl Unfit {
    /// For people.
    pub(super) fn message(&self) -> &str {
        let (Self::File(message) | Self::Machine(message)) = self;
        message
    }

    /// What ended a guest: for want of room, or by its own doing.
    fn ended(error: &wasmtime::Error, guest: &Guest, what: &str) -> Self {
        let message = format!("{what}: {}", call::explain(error, guest).1);
        if error.is::<PoolConcurrencyLimitError>() { Self::Machine(message) } else { Self::File(message) }
    }
}

impl From<String> for Unfit {
    fn from(message: String) -> Self {
        Self::File(message)
    }
}

/// What loading needs beside the component.
pub(super) struct Loader<'a> {
    pub(super) engine: &'a Engine,
    pub(super) linker: &'a Linker<Guest>,
    pub(super) cache: Option<&'a Cache>,
    pub(super) compiler: &'a Compiler,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) limits: &'a Limits,
    pub(super) grants: &'a Grants,
}

impl Loader<'_> {
    /// From the bytes of a file to a version that described itself.
    pub(super) fn load(&self, wasm: &[u8], digest: String) -> Result<Version, Unfit> {
        component::check_bytes(wasm)?;
        let started = self.shared.clock.monotonic();
        let (component, cached) = self.component(wasm, &digest)?;
        let compile_time = self.shared.clock.monotonic().saturating_sub(started);
        let interfaces = component::check_interfaces(self.engine, &component)?;
        component::check_grants(&self.shared.name, &interfaces.imports, self.grants)?;
        let memory = self.check_resources(&component)?;
        // The first call would pay for it otherwise.
        component.initialize_copy_on_write_image().map_err(|e| format!("cannot be prepared: {e:#}"))?;
        let pre = self
            .linker
            .instantiate_pre(&component)
            .map_err(|e| format!("does not fit the contract: {e:#}"))?;
        let exports =
            Exports::of(&pre, &interfaces).map_err(|e| format!("does not fit the contract: {e:#}"))?;
        let metadata = self.describe(&pre, &exports)?;
        Ok(Version {
            pre,
            exports,
            metadata,
            interfaces,
            digest,
            size: wasm.len() as u64,
            memory,
            compile_time,
            cached,
            loaded_at: self.shared.clock.now(),
        })
    }

    /// Compiled code, from the cache or freshly made and kept there.
    fn component(&self, wasm: &[u8], digest: &str) -> Result<(Component, bool), Unfit> {
        if let Some(code) = self.cache.and_then(|cache| cache.compiled(digest)) {
            match deserialize(self.engine, &code) {
                Ok(component) => return Ok((component, true)),
                Err(error) => {
                    tracing::warn!(digest, error = format!("{error:#}"), "compiled code does not load");
                }
            }
        }
        let code = self.compiler.compile(wasm, self.limits)?;
        if let Some(cache) = self.cache
            && let Err(error) = cache.keep_compiled(digest, &code)
        {
            tracing::warn!(digest, %error, "compiled code cannot be kept; the next start compiles again");
        }
        let component = deserialize(self.engine, &code).map_err(|e| format!("cannot be loaded: {e:#}"))?;
        Ok((component, false))
    }

    /// The memory that an instance starts with, if that is within the limit.
    fn check_resources(&self, component: &Component) -> Result<u64, String> {
        let pages = component.resources_required().and_then(|needed| needed.max_initial_memory_size);
        let memory = pages.unwrap_or(0).saturating_mul(WASM_PAGE);
        check_memory(memory, self.limits)?;
        Ok(memory)
    }

    fn describe(&self, pre: &InstancePre<Guest>, exports: &Exports) -> Result<Metadata, Unfit> {
        let mut store = self.store();
        let described = describe(pre, exports, &mut store);
        described.map_err(|error| Unfit::ended(&error, store.data(), "fails to describe itself"))
    }

    fn store(&self) -> Store<Guest> {
        let mut store = Guest::store(self.engine, self.shared, self.limits, None);
        store.data_mut().meter.be_patient();
        store
    }
}

fn describe(
    pre: &InstancePre<Guest>,
    exports: &Exports,
    store: &mut Store<Guest>,
) -> wasmtime::Result<Metadata> {
    let instance = pre.instantiate(store.as_context_mut())?;
    let said =
        exports.lifecycle.load(store.as_context_mut(), &instance)?.call_describe(store.as_context_mut())?;
    let lists = said.header_names.iter().flatten().chain(&said.config_schema);
    let size: usize =
        [&said.name, &said.version, &said.description].into_iter().chain(lists).map(String::len).sum();
    if size > DESCRIPTION_BYTES {
        wasmtime::bail!("says {size} bytes, and the limit is {DESCRIPTION_BYTES}");
    }
    Ok(Metadata {
        name: said.name,
        version: said.version,
        description: said.description,
        needs_body: said.needs_body,
        header_names: said.header_names,
        config_schema: said.config_schema,
    })
}

/// Whether what starts with so much memory, in bytes, can start at all.
fn check_memory(memory: u64, limits: &Limits) -> Result<(), String> {
    let limit = limits.memory as u64;
    if memory <= limit {
        return Ok(());
    }
    Err(format!(
        "starts with {memory} bytes of memory, and its limit is {limit}: raise `memory` for this plugin"
    ))
}

impl Version {
    /// Whether it can run under that policy: with a grant for each import that needs one,
    /// and with the memory that it starts with.
    pub(super) fn fits(&self, plugin: &str, policy: &Policy) -> bool {
        component::check_grants(plugin, &self.interfaces.imports, &policy.grants).is_ok()
            && check_memory(self.memory, &policy.limits).is_ok()
    }

    /// Asks a fresh instance whether it takes that configuration within those limits.
    pub(super) fn configure(&self, shared: &Arc<Shared>, limits: &Limits, config: &str) -> Result<(), Unfit> {
        check_memory(self.memory, limits)?;
        let mut store = Guest::store(self.pre.engine(), shared, limits, None);
        store.data_mut().meter.be_patient();
        match call::instance(self, &mut store, config) {
            Ok(_) => Ok(()),
            Err(Failure::Said(_, reason)) => Err(Unfit::File(reason)),
            Err(Failure::Ended(error)) => {
                Err(Unfit::ended(&error, store.data(), "fails to take its configuration"))
            }
        }
    }
}

impl Exports {
    fn of(pre: &InstancePre<Guest>, interfaces: &Interfaces) -> wasmtime::Result<Self> {
        let has = |name: &str| interfaces.exports.iter().any(|export| export == name);
        Ok(Self {
            lifecycle: lifecycle::GuestIndices::new(pre)?,
            filter: has("filter").then(|| filter::GuestIndices::new(pre)).transpose()?,
            transform: has("transform").then(|| transform::GuestIndices::new(pre)).transpose()?,
            verify: has("verify").then(|| verify::GuestIndices::new(pre)).transpose()?,
            classify: has("classify").then(|| classify::GuestIndices::new(pre)).transpose()?,
        })
    }
}

/// Loads compiled code into the serving engine.
#[expect(unsafe_code, reason = "compiled code can only be loaded so; see below")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was made by wasmtime, in this process or in a child that is this
    // program and reads nothing but the component; or it was read from the cache,
    // whose module says why that is as good. A mismatch of engines is found by
    // wasmtime itself.
    unsafe { Component::deserialize(engine, code) }
}

/// The digest of a file's content.
pub(super) fn digest(wasm: &[u8]) -> String {
    cache::digest(wasm)
}
