#![doc = include_str!("../ARCHITECTURE.md")]

pub mod clock;
pub mod metrics;
pub mod model;
pub mod rate;

pub mod ingest;
pub mod verify;

pub mod plugin;
pub mod process;

pub mod deliver;

pub mod store;

pub mod admin;
pub mod alerts;
pub mod budget;
pub mod config;
pub mod learning;

pub mod app;
pub mod cli;
pub mod lifecycle;
pub mod telemetry;
