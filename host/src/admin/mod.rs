//! What operators see: health, metrics and the JSON API. It reads and commands through
//! the store and through what [`Parts`] hands it, never through another stage.

mod access;
mod commands;
mod configured;
mod deliveries;
mod destinations;
mod events;
mod health;
mod plugins;
mod problem;
mod question;
mod replay;
mod sources;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::clock::{Clock, Random};
use crate::learning::Windows;
use crate::metrics::Metrics;
use crate::store::{NewRun, Store, StoreError};

pub use access::Access;

/// From a source and a type to runs.
pub type RunsFor = Arc<dyn Fn(&str, Option<&str>) -> Vec<NewRun> + Send + Sync>;
/// From a name to a JSON object.
pub type Standing = Arc<dyn Fn(&str) -> Option<serde_json::Value> + Send + Sync>;

/// Drops what a source has learnt; ends with how many secrets that were.
pub type Forget =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = Result<usize, StoreError>> + Send>> + Send + Sync>;

/// Ends when the plugins folder has been looked at.
pub type ReloadPlugins = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What the admin side is given.
#[derive(Clone)]
pub struct Parts {
    /// Where events and deliveries are.
    pub store: Arc<dyn Store>,
    /// Why the gateway cannot promise durability, if it cannot.
    pub not_ready: Arc<dyn Fn() -> Option<&'static str> + Send + Sync>,
    /// The plugins as they stand, as JSON values.
    pub plugins: Arc<dyn Fn() -> Vec<serde_json::Value> + Send + Sync>,
    /// Looks at the plugins folder again.
    pub reload_plugins: ReloadPlugins,
    /// What is configured, as it is in force.
    pub configured: Arc<dyn Fn() -> Configured + Send + Sync>,
    /// The runs of an event of that source and type, as the routes are now.
    pub runs_for: RunsFor,
    /// How a destination of that name fares at the moment, where it is known.
    pub standing: Standing,
    /// Tells that runs may have become claimable.
    pub ring_runs: Arc<dyn Fn() + Send + Sync>,
    /// Tells that deliveries may have become claimable, or a destination was paused or
    /// resumed.
    pub ring_deliveries: Arc<dyn Fn() + Send + Sync>,
    /// Tells that deliveries were taken back, which may be queued in memory.
    pub recall: Arc<dyn Fn() + Send + Sync>,
    /// In which handshakes may hand over secrets.
    pub windows: Arc<Windows>,
    /// Drops what a source has learnt.
    pub forget: Forget,
    /// What `2h` ago is counted from.
    pub clock: Clock,
    /// Tickets.
    pub random: Random,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Who may ask.
    pub access: Arc<Access>,
}

/// What is configured, each as a JSON object with a `name` and without any secret.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// Where events come in.
    pub sources: Vec<serde_json::Value>,
    /// Where deliveries go.
    pub destinations: Vec<serde_json::Value>,
    /// From sources to destinations.
    pub routes: Vec<serde_json::Value>,
}

/// The admin side as HTTP.
pub fn router(parts: Parts) -> Router {
    let api = Router::new()
        .route("/api/v1/events", get(events::list))
        .route("/api/v1/events/{id}", get(events::show))
        .route("/api/v1/events/{id}/replay", post(replay::one))
        .route("/api/v1/replay", post(replay::many))
        .route("/api/v1/deliveries", get(deliveries::list))
        .route("/api/v1/deliveries/retry", post(commands::retry_many))
        .route("/api/v1/deliveries/cancel", post(commands::cancel_many))
        .route("/api/v1/deliveries/{id}", get(deliveries::show))
        .route("/api/v1/deliveries/{id}/retry", post(commands::retry))
        .route("/api/v1/deliveries/{id}/cancel", post(commands::cancel))
        .route("/api/v1/sources", get(sources::list))
        .route("/api/v1/sources/{name}/arm", post(sources::arm).get(sources::window))
        .route("/api/v1/sources/{name}/forget", post(sources::forget))
        .route("/api/v1/routes", get(configured::routes))
        .route("/api/v1/destinations", get(destinations::list))
        .route("/api/v1/destinations/{name}/pause", post(destinations::pause))
        .route("/api/v1/destinations/{name}/resume", post(destinations::resume))
        .route("/api/v1/plugins", get(plugins::list))
        .route("/api/v1/plugins/reload", post(plugins::reload))
        .layer(from_fn_with_state(parts.access.clone(), access::require_token));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(api)
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(parts.access.clone(), access::refuse_foreign))
        .with_state(parts)
}
