//! The admin side over real sockets: who may ask, and what they are told.

mod access;
mod records;
mod telemetry;

use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET};

/// A GitHub source that is delivered to `url`, once.
fn config(url: &str) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.crm]
url = "{url}"
secrets = ["{DESTINATION_SECRET}"]
timeout = "300ms"
retry = {{ schedule = [] }}

[[routes]]
name = "all"
from = ["github"]
to = ["crm"]
"#
    )
}
