//! Bodies in the shape of real providers, for `send` and `demo`.

use serde_json::{Value, json};

/// One provider's sample.
pub(super) struct Sample {
    /// What it says it is, as the provider's headers or body have it.
    pub(super) event_type: Option<&'static str>,
    make: fn(&str, &str) -> Value,
}

impl Sample {
    /// The body with that id; another `event_type` than the sample's own changes what
    /// the body says of itself.
    pub(super) fn body(&self, id: &str, event_type: Option<&str>) -> Vec<u8> {
        let event_type = event_type.or(self.event_type).unwrap_or("test.event");
        (self.make)(id, event_type).to_string().into_bytes()
    }
}

/// The sample of a preset; others get a small JSON document.
pub(super) fn of(preset: &str) -> Sample {
    match preset {
        "github" => Sample { event_type: Some("issues.opened"), make: github },
        "stripe" => Sample { event_type: Some("payment_intent.succeeded"), make: stripe },
        "shopify" => Sample { event_type: Some("orders/create"), make: shopify },
        "slack" => Sample { event_type: Some("app_mention"), make: slack },
        _ => Sample { event_type: Some("test.event"), make: plain },
    }
}

fn github(_id: &str, event_type: &str) -> Value {
    let action = event_type.split_once('.').map_or("opened", |(_, action)| action);
    json!({
        "action": action,
        "issue": {
            "number": 1347,
            "title": "The door does not open",
            "html_url": "https://github.com/octo-org/octo-repo/issues/1347",
            "state": "open",
            "user": { "login": "octocat", "type": "User" },
            "body": "It is stuck since yesterday.",
        },
        "repository": { "id": 1_296_269, "full_name": "octo-org/octo-repo", "html_url": "https://github.com/octo-org/octo-repo" },
        "sender": { "login": "octocat", "type": "User", "email": "octocat@example.com" },
    })
}

fn stripe(id: &str, event_type: &str) -> Value {
    json!({
        "id": format!("evt_{}", &id[..id.len().min(24)]),
        "object": "event",
        "type": event_type,
        "created": 1_700_000_000,
        "livemode": false,
        "data": { "object": {
            "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
            "object": "payment_intent",
            "amount": 2000,
            "currency": "eur",
            "status": "succeeded",
        } },
    })
}

fn shopify(id: &str, _event_type: &str) -> Value {
    json!({
        "id": 820_982_911_946_154_508_u64,
        "admin_graphql_api_id": format!("gid://shopify/Order/{id}"),
        "email": "jon@example.com",
        "total_price": "398.00",
        "currency": "EUR",
        "line_items": [
            { "id": 866_550_311, "sku": "IPOD2008GREEN", "quantity": 1, "price": "199.00" },
            { "id": 141_249_953, "sku": "IPOD2008RED", "quantity": 1, "price": "199.00" },
        ],
    })
}

fn slack(id: &str, event_type: &str) -> Value {
    json!({
        "type": "event_callback",
        "event_id": format!("Ev{}", &id[..id.len().min(10)]),
        "team_id": "T0001",
        "event": { "type": event_type, "user": "U061F7AUR", "text": "<@U0LAN0Z89> is it everything a river should be?" },
    })
}

fn plain(id: &str, event_type: &str) -> Value {
    json!({ "id": id, "type": event_type, "data": { "message": "Hello from hookloom send" } })
}
