//! The integration tests of the gateway: one binary, one module an area.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod admin;
mod alerts;
mod attack;
mod backup;
mod cli;
mod cli_operate;
mod crash;
mod deliver;
mod disk_full;
mod examples;
mod fuzz;
mod gateway_vectors;
mod idle;
mod ingest;
mod interop;
mod journey;
mod languages;
mod limits;
mod mutation;
mod order;
mod plugin;
mod plugin_cli;
mod plugin_failure;
mod processing;
mod providers;
mod recorded;
mod reload;
mod retention;
mod scaffold;
mod shutdown;
mod soak;
mod state;
mod structure;
mod vectors;
