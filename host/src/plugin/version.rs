//! One version of a plugin: compiled, linked and tested, ready for instances.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{AsContextMut, Engine, Store};

use super::bindings::v0_1_0::exports::hookloom::plugin::{filter, lifecycle, transform};
use super::cache::{self, Cache};
use super::call::{self, Failure};
use super::component::{self, Interfaces};
use super::engine;
use super::guest::{Guest, Shared};
use super::limits::Limits;
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

/// What loading needs beside the component.
pub(super) struct Loader<'a> {
    pub(super) engine: &'a Engine,
    pub(super) linker: &'a Linker<Guest>,
    pub(super) cache: Option<&'a Cache>,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) limits: &'a Limits,
}

impl Loader<'_> {
    /// From the bytes of a file to a version that described itself, or a message for
    /// whoever put it there.
    pub(super) fn load(&self, wasm: &[u8], digest: String) -> Result<Version, String> {
        component::check_bytes(wasm)?;
        let started = self.shared.clock.monotonic();
        let (component, cached) = self.component(wasm, &digest)?;
        let compile_time = self.shared.clock.monotonic().saturating_sub(started);
        let interfaces = component::check_interfaces(self.engine, &component)?;
        self.check_resources(&component)?;
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
            compile_time,
            cached,
            loaded_at: self.shared.clock.now(),
        })
    }

    /// Compiled code, from the cache or freshly made and kept there.
    fn component(&self, wasm: &[u8], digest: &str) -> Result<(Component, bool), String> {
        if let Some(code) = self.cache.and_then(|cache| cache.compiled(digest)) {
            match deserialize(self.engine, &code) {
                Ok(component) => return Ok((component, true)),
                Err(error) => {
                    tracing::warn!(digest, error = format!("{error:#}"), "compiled code does not load");
                }
            }
        }
        let compiler = engine::compiler().map_err(|e| e.to_string())?;
        let code = compiler
            .precompile_component(wasm)
            .map_err(|e| format!("not a valid component; is the file complete? {e:#}"))?;
        drop(compiler);
        if let Some(cache) = self.cache
            && let Err(error) = cache.keep_compiled(digest, &code)
        {
            tracing::warn!(digest, %error, "compiled code cannot be kept; the next start compiles again");
        }
        let component = deserialize(self.engine, &code).map_err(|e| format!("cannot be loaded: {e:#}"))?;
        Ok((component, false))
    }

    fn check_resources(&self, component: &Component) -> Result<(), String> {
        let Some(needed) = component.resources_required() else { return Ok(()) };
        let limit = self.limits.memory as u64;
        match needed.max_initial_memory_size.map(|pages| pages.saturating_mul(WASM_PAGE)) {
            Some(memory) if memory > limit => Err(format!(
                "starts with {memory} bytes of memory, and its limit is {limit}: raise `memory` for this plugin"
            )),
            _ => Ok(()),
        }
    }

    fn describe(&self, pre: &InstancePre<Guest>, exports: &Exports) -> Result<Metadata, String> {
        let mut store = self.store();
        let described = describe(pre, exports, &mut store);
        described
            .map_err(|error| format!("fails to describe itself: {}", call::explain(&error, store.data()).1))
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
    Ok(Metadata {
        name: said.name,
        version: said.version,
        description: said.description,
        needs_body: said.needs_body,
        header_names: said.header_names,
        config_schema: said.config_schema,
    })
}

impl Version {
    /// Asks a fresh instance whether it takes that configuration.
    pub(super) fn configure(
        &self,
        shared: &Arc<Shared>,
        limits: &Limits,
        config: &str,
    ) -> Result<(), String> {
        let mut store = Guest::store(self.pre.engine(), shared, limits, None);
        store.data_mut().meter.be_patient();
        match call::instance(self, &mut store, config) {
            Ok(_) => Ok(()),
            Err(Failure::Said(_, reason)) => Err(reason),
            Err(Failure::Ended(error)) => {
                Err(format!("fails to take its configuration: {}", call::explain(&error, store.data()).1))
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
        })
    }
}

/// Loads compiled code into the serving engine.
#[expect(unsafe_code, reason = "compiled code can only be loaded so; see below")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was made by wasmtime in this process, or read from the cache,
    // whose module says why that is as good. A mismatch of engines is found by
    // wasmtime itself.
    unsafe { Component::deserialize(engine, code) }
}

/// The digest of a file's content.
pub(super) fn digest(wasm: &[u8]) -> String {
    cache::digest(wasm)
}
