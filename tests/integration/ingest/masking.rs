//! Credentials: gone before anything is stored, shown or sent on.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::Receiver;

/// Occur in a request and nowhere else.
const SECRETS: [&str; 5] =
    ["tok-in-header", "tok-in-query", "bearer-of-proof", "cookie-of-session", "proxy-proof"];

fn config(receiver: &Receiver) -> String {
    format!(
        r#"
[sources.header]
secrets = ["tok-in-header"]
[sources.header.verify]
algorithm = "token"
body_unsigned = true
signature = {{ header = "x-gitlab-token" }}

[sources.query]
secrets = ["tok-in-query"]
[sources.query.verify]
algorithm = "token"
body_unsigned = true
signature = {{ query = "token" }}

[sources.bearer]
secrets = ["tok-in-header"]
[sources.bearer.verify]
algorithm = "token"
body_unsigned = true
signature = {{ header = "authorization", prefix = "Bearer " }}

[destinations.crm]
url = "{}"
forward_headers = ["authorization", "cookie", "x-gitlab-token", "x-kept"]

[[routes]]
name = "all"
from = ["header", "query", "bearer"]
to = ["crm"]
"#,
        receiver.url()
    )
}

#[tokio::test]
async fn credentials_reach_neither_api_nor_disk_nor_destination() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&config(&receiver)).await;
    let always = [
        ("authorization", "Bearer bearer-of-proof"),
        ("cookie", "s=cookie-of-session"),
        ("proxy-authorization", "Basic proxy-proof"),
        ("x-kept", "kept"),
    ];
    let with = |own: (&'static str, &'static str)| [&always[..], &[own]].concat();
    let by_header = gateway.post("header", &with(("x-gitlab-token", SECRETS[0])), "{}").await.id();
    let by_query =
        gateway.post("query?a=1&token=tok-in-query&b=%20&t%6fken=tok-in-query", &always, "{}").await.id();
    let bearer = [("authorization", "Bearer tok-in-header"), always[1], always[2], always[3]];
    let by_bearer = gateway.post("bearer", &bearer, "{}").await.id();

    for (id, header) in [(&by_header, "x-gitlab-token"), (&by_query, "cookie"), (&by_bearer, "cookie")] {
        let event = gateway.event_when(id, "delivered").await;
        for name in ["authorization", "cookie", "proxy-authorization", header] {
            assert_eq!(event["headers"][name], "***", "{name} of {event}");
        }
        assert_eq!(event["headers"]["x-kept"], "kept");
    }
    let event = gateway.event_when(&by_query, "delivered").await;
    assert_eq!(event["query"], "a=1&token=***&b=%20&t%6fken=***");

    for request in receiver.requests(3).await {
        assert_eq!(request.header("x-kept"), Some("kept"));
        for name in ["authorization", "cookie", "x-gitlab-token"] {
            assert_eq!(request.header(name), None, "{name}");
        }
        assert!(SECRETS.iter().all(|secret| !format!("{request:?}").contains(secret)), "{request:?}");
    }
    assert_not_on_disk(&gateway);
    gateway.stop().await;
    assert_not_on_disk(&gateway);
}

#[tokio::test]
async fn a_wrong_credential_is_not_repeated_to_its_sender() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&config(&receiver)).await;
    let refused = gateway.post("header", &[("x-gitlab-token", "tok-in-heade")], "{}").await;
    super::assert_refused(&refused, 401, "the signature does not match");
    gateway.stop().await;
}

/// Whether the files of the store have these bytes in them.
fn is_on_disk(gateway: &Gateway, text: &str) -> bool {
    let entries = std::fs::read_dir(gateway.path("data")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).any(|path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn assert_not_on_disk(gateway: &Gateway) {
    // What is kept can be read there as it is, so what is not found is not there.
    assert!(is_on_disk(gateway, "x-kept"));
    for secret in SECRETS {
        assert!(!is_on_disk(gateway, secret), "{secret}");
    }
}
