//! The same rewrite without our sandbox: in Rust, as a JavaScript function in an embedded
//! `QuickJS`, and in a host that compiles the component for every event.

use std::hint::black_box;

use hookloom::model::Event;
use rquickjs::{Context, Function, Runtime};
use serde_json::Value;
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

use crate::meter::thread_cpu;

/// What the guest does, in the process itself.
pub(crate) fn natively(event: &Event, times: u32) {
    for _ in 0..times {
        let mut value: Value = serde_json::from_slice(black_box(&event.body)).expect("JSON");
        value["seen"] = true.into();
        black_box(serde_json::to_vec(&value).expect("JSON"));
    }
}

const SCRIPT: &str = "(body) => { const v = JSON.parse(body); v.seen = true; return JSON.stringify(v); }";

/// The rewrite in JavaScript, in one runtime.
pub(crate) struct Script {
    runtime: Runtime,
    kept: Context,
}

impl Script {
    /// A runtime, and a context for those who keep one.
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let kept = Context::full(&runtime).expect("a context");
        Self { runtime, kept }
    }

    /// All events in one context, which they share: nothing keeps them apart.
    pub(crate) fn kept(&self, event: &Event, times: u32) {
        self.kept.with(|context| {
            let rewrite: Function<'_> = context.eval(SCRIPT).expect("a function");
            (0..times).for_each(|_| run(&rewrite, event));
        });
    }

    /// A context for each event, in the memory that all of them share.
    pub(crate) fn fresh(&self, event: &Event, times: u32) {
        for _ in 0..times {
            let context = Context::full(&self.runtime).expect("a context");
            context.with(|context| run(&context.eval(SCRIPT).expect("a function"), event));
        }
    }
}

fn run(rewrite: &Function<'_>, event: &Event) {
    let body = std::str::from_utf8(&event.body).expect("UTF-8");
    let written: String = rewrite.call((body,)).expect("an answer");
    black_box(written.into_bytes());
}

/// A host that keeps no compiled code.
pub(crate) struct Compiling(Engine);

impl Compiling {
    /// On one thread, so that all that it costs is counted.
    pub(crate) fn new() -> Self {
        let mut config = Config::new();
        config.parallel_compilation(false).epoch_interruption(true);
        Self(Engine::new(&config).expect("an engine"))
    }

    /// What compiling costs, in microseconds of CPU.
    pub(crate) fn micros(&self, component: &[u8], times: u32) -> f64 {
        let before = thread_cpu();
        for _ in 0..times {
            black_box(Component::new(&self.0, component).expect("a component"));
        }
        thread_cpu().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(times)
    }
}
