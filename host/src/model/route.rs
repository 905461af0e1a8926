//! A route, and which events it takes.

use super::{OnDead, OnError, Order};

/// From sources, through steps, to destinations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Unique.
    pub name: String,
    /// Names of sources.
    pub from: Vec<String>,
    /// Any of these; none: all.
    pub types: Vec<EventTypePattern>,
    /// Run in this order.
    pub steps: Vec<Step>,
    /// Where it leads.
    pub to: Vec<RouteTarget>,
}

/// A destination as a route sees it: what has to be known when its deliveries are
/// created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTarget {
    /// The destination's name.
    pub destination: String,
    /// Which of its deliveries follow each other.
    pub order: Order,
    /// What a dead one means for those behind it.
    pub on_dead: OnDead,
    /// Pending deliveries beyond which new ones are born dead.
    pub max_pending: Option<u64>,
}

/// One plugin with its configuration in a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The plugin's name, `-` for `_`.
    pub plugin: String,
    /// JSON text given to `configure`; `null` where none is written.
    pub config: String,
    /// What a failed call does.
    pub on_error: OnError,
}

/// A pattern over event types: `issues` takes `issues` and `issues.opened`, `*`
/// stands for any characters, dots too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTypePattern(String);

impl Route {
    /// Whether any of its destinations asks for an order.
    pub fn is_ordered(&self) -> bool {
        self.to.iter().any(|target| target.order != Order::None)
    }

    /// Its destination of that name.
    pub fn target(&self, destination: &str) -> Option<&RouteTarget> {
        self.to.iter().find(|target| target.destination == destination)
    }

    /// Whether an event of that source and type goes this way. A route without
    /// types takes events without a type, too.
    pub fn takes(&self, source: &str, event_type: Option<&str>) -> bool {
        self.from.iter().any(|name| name == source)
            && (self.types.is_empty()
                || event_type.is_some_and(|ty| self.types.iter().any(|pattern| pattern.matches(ty))))
    }
}

impl EventTypePattern {
    /// The pattern as it is written.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The pattern as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it takes that type.
    pub fn matches(&self, event_type: &str) -> bool {
        if self.0.contains('*') {
            return glob(&self.0, event_type);
        }
        event_type.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// Matches with `*` for any run of characters. Every part between stars is taken at
/// its first place, which is enough because only the last is anchored to the end.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("issues", "issues", true),
            ("issues", "issues.opened", true),
            ("issues", "issues_x", false),
            ("issues.opened", "issues", false),
            ("*", "anything.at.all", true),
            ("*", "", true),
            ("issues.*", "issues.opened", true),
            ("issues.*", "issues", false),
            ("*.opened", "pull_request.opened", true),
            ("*.opened", "pull_request.opened.x", false),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("ab*ba", "aba", false),
            ("", "x", false),
        ];
        for (pattern, ty, expected) in cases {
            assert_eq!(EventTypePattern::new(pattern).matches(ty), expected, "{pattern} on {ty}");
        }
    }

    #[test]
    fn a_route_without_types_takes_everything_from_its_sources() {
        let mut route =
            Route { name: "r".into(), from: vec!["a".into()], types: vec![], steps: vec![], to: vec![] };
        assert!(route.takes("a", None));
        assert!(!route.takes("b", None));
        route.types = vec![EventTypePattern::new("x")];
        assert!(route.takes("a", Some("x.y")));
        assert!(!route.takes("a", None));
    }
}
