//! The attributes of `hookloom-sdk`, re-exported and explained there.

use proc_macro::{TokenStream, TokenTree};

/// Makes a function the plugin's filter.
///
/// The function is `fn(&Event) -> Result<Verdict>`, or with its configuration
/// `fn(&Event, &Config) -> Result<Verdict>`. It stays an ordinary function, so that
/// tests call it directly. What the plugin says of itself can be given here, all of
/// it optional: `#[filter(description = "…", headers = ["x-github-event"],
/// body = false, schema = include_str!("../schema.json"), name = "…", version = "…")]`.
#[proc_macro_attribute]
pub fn filter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    plugin("filter", arguments, item)
}

/// Makes a function the plugin's transform.
///
/// The function is `fn(&Event) -> Result<Outcome>`, or with its configuration
/// `fn(&Event, &Config) -> Result<Outcome>`. It takes the arguments of
/// [`filter`](macro@filter).
#[proc_macro_attribute]
pub fn transform(arguments: TokenStream, item: TokenStream) -> TokenStream {
    plugin("transform", arguments, item)
}

/// Makes a function decide whether a request is a webhook of its source, for sources with
/// `scheme = "plugin:NAME"`.
///
/// The function is `fn(&Request) -> Verification`, or with the source's configuration
/// `fn(&Request, &Config) -> Verification`; it may return anything that becomes one,
/// `Result<Acceptance, Verification>` for one. It takes the arguments of
/// [`filter`](macro@filter).
#[proc_macro_attribute]
pub fn verify(arguments: TokenStream, item: TokenStream) -> TokenStream {
    plugin("verify", arguments, item)
}

/// Makes a function decide what a destination's answer means, for destinations with
/// `classify = "NAME"`.
///
/// The function is `fn(&Response) -> Decision`, or with the destination's configuration
/// `fn(&Response, &Config) -> Decision`. It takes the arguments of
/// [`filter`](macro@filter).
#[proc_macro_attribute]
pub fn classify(arguments: TokenStream, item: TokenStream) -> TokenStream {
    plugin("classify", arguments, item)
}

/// Makes a struct a plugin's configuration: derives `Deserialize`, and refuses
/// unknown keys, so that a misspelt one is an error when the gateway loads its
/// configuration and not a setting that silently does nothing.
#[proc_macro_attribute]
pub fn config(arguments: TokenStream, item: TokenStream) -> TokenStream {
    if !arguments.is_empty() {
        return error("#[config] takes no arguments");
    }
    let mut output = parse(
        "#[derive(::hookloom_sdk::serde::Deserialize)]
         #[serde(crate = \"::hookloom_sdk::serde\", deny_unknown_fields)]",
    );
    output.extend(item);
    output
}

/// The item as it is, and behind it `plugin! { role: name; arguments }`.
fn plugin(role: &str, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Some(function) = function_name(item.clone()) else {
        return error(&format!("#[{role}] belongs on a function"));
    };
    let mut output = item;
    let mut body = parse(&format!("{role}:"));
    body.extend([function]);
    if !arguments.is_empty() {
        body.extend(parse(";"));
        body.extend(arguments);
    }
    output.extend(parse("::hookloom_sdk::plugin!"));
    output.extend([TokenTree::Group(proc_macro::Group::new(proc_macro::Delimiter::Brace, body))]);
    output
}

/// The identifier behind the first `fn` outside of any brackets.
fn function_name(item: TokenStream) -> Option<TokenTree> {
    let mut tokens = item.into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    tokens.next().filter(|token| matches!(token, TokenTree::Ident(_)))
}

fn error(message: &str) -> TokenStream {
    parse(&format!("::core::compile_error!({message:?});"))
}

/// Parses the fixed fragments above.
fn parse(source: &str) -> TokenStream {
    source.parse().expect("a fragment of this file is Rust")
}
