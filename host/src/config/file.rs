//! `hookloom.toml` as it is written: the shape and the defaults, nothing decided yet.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::units::{Rate, Size, Span};
use super::word::{self, WordOrTable};
use crate::verify::VerifyConfig;

/// A text with its place.
pub(super) type Text = Spanned<String>;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) server: Server,
    pub(super) store: Store,
    pub(super) log: Log,
    pub(super) plugins: Plugins,
    pub(super) plugin: BTreeMap<Text, PluginPolicy>,
    pub(super) secrets: BTreeMap<Text, Text>,
    pub(super) egress: Egress,
    pub(super) sources: BTreeMap<Text, Source>,
    pub(super) destinations: BTreeMap<Text, Destination>,
    pub(super) routes: Vec<Spanned<Route>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Server {
    pub(super) listen: Option<Text>,
    pub(super) admin_listen: Option<Text>,
    pub(super) admin_token: Option<Text>,
    pub(super) max_body: Option<Size>,
    pub(super) read_timeout: Option<Span>,
    pub(super) max_connections: Option<Spanned<usize>>,
    pub(super) header_timeout: Option<Spanned<Span>>,
    pub(super) idle_timeout: Option<Spanned<Span>>,
    pub(super) trusted_proxies: Vec<Text>,
    pub(super) tls_cert: Option<Text>,
    pub(super) tls_key: Option<Text>,
    pub(super) shutdown_grace: Option<Span>,
    pub(super) public_url: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Store {
    pub(super) url: Option<Text>,
    pub(super) retention: Option<Spanned<Span>>,
    pub(super) dead_retention: Option<Spanned<Span>>,
    pub(super) max_backlog: Option<u64>,
    pub(super) min_free_disk: Option<Size>,
    pub(super) synchronous: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) level: Option<Text>,
    pub(super) format: Option<Text>,
}

/// Of `[plugins]` and of each `[plugin.NAME]`: the keys of a plugin's limits, beside what
/// only one of the two has. (Serde's `flatten` would take unknown keys.)
macro_rules! with_limits {
    ($name:ident { $($own:ident: $type:ty,)* }) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name {
            $(pub(super) $own: $type,)*
            pub(super) deadline: Option<Spanned<Span>>,
            pub(super) memory: Option<Spanned<Size>>,
            pub(super) output: Option<Spanned<Size>>,
            pub(super) messages: Option<Spanned<usize>>,
            pub(super) log_lines: Option<Spanned<u32>>,
            pub(super) log_bytes: Option<Spanned<Size>>,
            pub(super) kv_size: Option<Spanned<Size>>,
            pub(super) module_size: Option<Spanned<Size>>,
            pub(super) compile_time: Option<Spanned<Span>>,
            pub(super) compile_memory: Option<Spanned<Size>>,
        }

        impl $name {
            pub(super) fn limits(&self) -> PluginLimits<'_> {
                PluginLimits {
                    deadline: self.deadline.as_ref(),
                    memory: self.memory.as_ref(),
                    output: self.output.as_ref(),
                    messages: self.messages.as_ref(),
                    log_lines: self.log_lines.as_ref(),
                    log_bytes: self.log_bytes.as_ref(),
                    kv_size: self.kv_size.as_ref(),
                    module_size: self.module_size.as_ref(),
                    compile_time: self.compile_time.as_ref(),
                    compile_memory: self.compile_memory.as_ref(),
                }
            }
        }
    };
}

with_limits!(Plugins { dir: Option<PathBuf>, workers: Option<usize>, });
with_limits!(PluginPolicy { reuse: Option<u32>, grants: Vec<Text>, });

/// The limits that a table sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct PluginLimits<'a> {
    pub(super) deadline: Option<&'a Spanned<Span>>,
    pub(super) memory: Option<&'a Spanned<Size>>,
    pub(super) output: Option<&'a Spanned<Size>>,
    pub(super) messages: Option<&'a Spanned<usize>>,
    pub(super) log_lines: Option<&'a Spanned<u32>>,
    pub(super) log_bytes: Option<&'a Spanned<Size>>,
    pub(super) kv_size: Option<&'a Spanned<Size>>,
    pub(super) module_size: Option<&'a Spanned<Size>>,
    pub(super) compile_time: Option<&'a Spanned<Span>>,
    pub(super) compile_memory: Option<&'a Spanned<Size>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Egress {
    pub(super) allow: Vec<Text>,
    pub(super) deny: Vec<Text>,
    pub(super) ports: Vec<Spanned<u16>>,
    pub(super) https_only: bool,
    pub(super) resolvers: Vec<Text>,
    pub(super) proxy: Option<Text>,
    pub(super) proxy_auth: Option<Text>,
}

/// What a destination says beside `[egress]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OwnEgress {
    pub(super) allow: Vec<Text>,
    pub(super) deny: Vec<Text>,
    pub(super) ports: Vec<Spanned<u16>>,
}

/// One of the two.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Auth {
    pub(super) bearer: Option<Text>,
    pub(super) basic: Option<Basic>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Basic {
    pub(super) user: Text,
    pub(super) password: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Source {
    pub(super) scheme: Option<Text>,
    pub(super) config: Option<Spanned<toml::Table>>,
    pub(super) secrets: Vec<Text>,
    pub(super) verify: Option<Spanned<VerifyConfig>>,
    pub(super) public_url: Option<Text>,
    pub(super) public_key: Option<Text>,
    pub(super) audience: Option<Text>,
    pub(super) pin_algorithm: Option<Text>,
    pub(super) secondary_secret: Option<Text>,
    pub(super) verify_token: Option<Text>,
    pub(super) dedupe: Option<Span>,
    pub(super) dedupe_key: Option<Text>,
    pub(super) rate_limit: Option<Rate>,
    pub(super) max_body: Option<Size>,
    pub(super) max_decoded_body: Option<Spanned<Size>>,
    pub(super) allow_from: Vec<Text>,
    pub(super) schema: Option<Spanned<SchemaFiles>>,
    pub(super) on_invalid: Option<Text>,
    pub(super) methods: Option<Spanned<Vec<Text>>>,
    pub(super) reply: Option<Spanned<Reply>>,
}

/// `"orders.json"`, or a table from patterns of types to files.
#[derive(Debug)]
pub(super) struct SchemaFiles(pub(super) BTreeMap<String, String>);

/// The answer to an accepted request, where a provider wants another than JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    pub(super) status: Option<u16>,
    pub(super) content_type: Option<String>,
    #[serde(default)]
    pub(super) body: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Destination {
    pub(super) url: Text,
    #[serde(default)]
    pub(super) secrets: Vec<Text>,
    pub(super) timeout: Option<Spanned<Span>>,
    #[serde(default)]
    pub(super) headers: BTreeMap<Text, Text>,
    #[serde(default)]
    pub(super) forward_headers: Vec<Text>,
    pub(super) concurrency: Option<Spanned<usize>>,
    pub(super) retry: Option<Spanned<Retry>>,
    pub(super) classify: Option<Spanned<Classify>>,
    pub(super) max_pending: Option<Spanned<u64>>,
    pub(super) rate_limit: Option<Spanned<Rate>>,
    pub(super) breaker: Option<Spanned<Breaker>>,
    pub(super) order: Option<Text>,
    pub(super) on_dead: Option<Text>,
    #[serde(default)]
    pub(super) egress: OwnEgress,
    pub(super) https_only: Option<bool>,
    pub(super) ca: Option<Text>,
    pub(super) client_cert: Option<Text>,
    pub(super) client_key: Option<Text>,
    pub(super) auth: Option<Spanned<Auth>>,
    pub(super) proxy: Option<Text>,
    pub(super) proxy_auth: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Breaker {
    pub(super) failures: Option<u32>,
    pub(super) pause: Option<Span>,
}

/// Either `schedule`, or the other four; both may have `jitter` and `max_retry_after`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Retry {
    pub(super) schedule: Option<Vec<Span>>,
    pub(super) max_attempts: Option<u32>,
    pub(super) base: Option<Span>,
    pub(super) factor: Option<f64>,
    pub(super) cap: Option<Span>,
    pub(super) jitter: Option<f64>,
    pub(super) max_retry_after: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    pub(super) name: Text,
    pub(super) from: Vec<Text>,
    #[serde(default)]
    pub(super) types: Vec<Text>,
    #[serde(default)]
    pub(super) steps: Vec<Spanned<Step>>,
    pub(super) to: Vec<Text>,
}

/// `"drop-bots"`, or a table.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) plugin: String,
    pub(super) config: Option<toml::Table>,
    pub(super) on_error: Option<OnError>,
}

/// `"dead"`, `"drop"`, `"pass"`, or `{ retry = […], then = … }`.
#[derive(Debug, PartialEq)]
pub(super) enum OnError {
    Word(String),
    Retry { delays: Vec<Span>, then: Option<String> },
}

/// `"crm-answers"`, or a table.
#[derive(Debug)]
pub(super) struct Classify {
    pub(super) plugin: String,
    pub(super) config: Option<toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepTable {
    plugin: String,
    config: Option<toml::Table>,
    on_error: Option<OnError>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassifyTable {
    plugin: String,
    config: Option<toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryTable {
    retry: Vec<Span>,
    then: Option<String>,
}

impl WordOrTable for Step {
    type Table = StepTable;
    const FORMS: &str = "a plugin's name, or { plugin = \"…\", config = { … }, on_error = \"…\" }";

    fn from_word(plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), config: None, on_error: None }
    }

    fn from_table(StepTable { plugin, config, on_error }: StepTable) -> Self {
        Self { plugin, config, on_error }
    }
}

impl WordOrTable for Classify {
    type Table = ClassifyTable;
    const FORMS: &str = "a plugin's name, or { plugin = \"…\", config = { … } }";

    fn from_word(plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), config: None }
    }

    fn from_table(ClassifyTable { plugin, config }: ClassifyTable) -> Self {
        Self { plugin, config }
    }
}

impl WordOrTable for SchemaFiles {
    type Table = BTreeMap<String, String>;
    const FORMS: &str = "a file, or { \"orders/create\" = \"order.json\", \"*\" = \"other.json\" }";

    fn from_word(file: &str) -> Self {
        Self(BTreeMap::from([("*".to_owned(), file.to_owned())]))
    }

    fn from_table(files: Self::Table) -> Self {
        Self(files)
    }
}

impl WordOrTable for OnError {
    type Table = RetryTable;
    const FORMS: &str = "\"dead\", \"drop\", \"pass\", or { retry = [\"1s\"], then = \"dead\" }";

    fn from_word(word: &str) -> Self {
        Self::Word(word.to_owned())
    }

    fn from_table(RetryTable { retry, then }: RetryTable) -> Self {
        Self::Retry { delays: retry, then }
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word::deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Classify {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word::deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for SchemaFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word::deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for OnError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word::deserialize(deserializer)
    }
}
