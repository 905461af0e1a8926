//! What operators see: health, metrics and the JSON API. It reads and commands through
//! the store and through what [`Parts`] hands it, never through another stage.

mod access;
mod deliveries;
mod events;
mod health;
mod plugins;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::metrics::Metrics;
use crate::store::Store;

pub use access::Access;

/// What the admin side is given.
#[derive(Clone)]
pub struct Parts {
    /// Where events and deliveries are.
    pub store: Arc<dyn Store>,
    /// Why the gateway cannot promise durability, if it cannot.
    pub not_ready: Arc<dyn Fn() -> Option<&'static str> + Send + Sync>,
    /// The plugins as they stand, as JSON values.
    pub plugins: Arc<dyn Fn() -> Vec<serde_json::Value> + Send + Sync>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Who may ask.
    pub access: Arc<Access>,
}

/// The admin side as HTTP.
pub fn router(parts: Parts) -> Router {
    let api = Router::new()
        .route("/api/v1/events/{id}", get(events::show))
        .route("/api/v1/deliveries", get(deliveries::list))
        .route("/api/v1/deliveries/{id}", get(deliveries::show))
        .route("/api/v1/plugins", get(plugins::list))
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
