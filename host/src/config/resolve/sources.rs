//! `[sources.*]`.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode};
use toml::Spanned;

use super::{Context, addresses, checks, named, registered, schemas};
use crate::alerts;
use crate::config::file::{self, File, Text};
use crate::config::problem::did_you_mean;
use crate::config::secret::Secret;
use crate::config::units::Size;
use crate::ingest::{Dedupe, DedupeBy, Reply, Source, SourceScheme, unknown_keys};
use crate::model::{DEFAULT_MAX_DECODED, MAX_DECODED};
use crate::rate::{Rate, RateLimiter};
use crate::verify::{self, Preset, PresetDedupe, PresetReply, Scheme, SchemeError, Setup};

/// How the scheme of a source that a plugin verifies begins.
const PLUGIN: &str = "plugin:";

/// How long repeats are recognised where nothing is said.
const DEDUPE_WINDOW: Duration = Duration::from_hours(24);

pub(super) fn sources(context: &mut Context<'_>, file: &File) -> HashMap<String, Arc<Source>> {
    let mut sources = HashMap::new();
    let base = file.server.public_url.as_ref();
    let base = base.filter(|url| registered::check(context, url)).map(|url| url.get_ref().as_str());
    for (name, written) in &file.sources {
        context.checked_name("source", name);
        if name.get_ref() == alerts::SOURCE {
            let message = "the source \"hookloom\" is the gateway's own: alerts come from it";
            context.error(name.span(), message, "choose another name");
        }
        if let Some(source) = source(context, base, name, written) {
            sources.insert(source.name.clone(), Arc::new(source));
        }
    }
    sources
}

fn source(
    context: &mut Context<'_>,
    base: Option<&str>,
    name: &Text,
    written: &file::Source,
) -> Option<Source> {
    let public_url = match &written.public_url {
        Some(own) => Some(own).filter(|own| registered::check(context, own)).map(|own| own.get_ref().clone()),
        None => base.map(|base| registered::of_source(base, name.get_ref())),
    };
    let secrets: Vec<_> = written.secrets.iter().map(|secret| context.secret(secret, true)).collect();
    let secrets: Vec<Secret> = secrets.into_iter().collect::<Option<_>>()?;
    let extras = Extras::resolve(context, written)?;
    let scheme = scheme(context, name, written, &secrets, &extras, public_url.is_some())?;
    let preset = written.scheme.as_ref().and_then(|scheme| verify::preset(scheme.get_ref()));
    let methods = match &written.methods {
        None => preset.map_or_else(|| vec![Method::POST], methods_of),
        Some(names) => {
            if names.get_ref().is_empty() {
                context.error(
                    names.span(),
                    "a source without methods takes nothing",
                    "leave `methods` out to take POST",
                );
            }
            names.get_ref().iter().filter_map(|name| method(context, name)).collect()
        }
    };
    let dedupe = Dedupe {
        key: dedupe_key(context, written.dedupe_key.as_ref(), &scheme, preset)?,
        window: written.dedupe.map_or_else(|| dedupe_window(&scheme), |span| span.0),
    };
    Some(Source {
        name: name.get_ref().clone(),
        scheme,
        dedupe,
        methods,
        allow_from: addresses::senders(context, &written.allow_from),
        max_body: written.max_body.map(Size::bytes),
        max_decoded_body: max_decoded_body(context, written.max_decoded_body.as_ref()),
        schemas: schemas::schemas(context, written),
        rate_limit: written.rate_limit.map(|rate| RateLimiter::new(Rate::per_second(rate.0))),
        unknown_keys: unknown_keys(),
        public_url,
        reply: match &written.reply {
            None => preset.and_then(reply_of),
            Some(reply) => Some(self::reply(context, reply)?),
        },
    })
}

/// At least as long as a request is fresh: what is forgotten before could be sent again.
fn dedupe_window(scheme: &SourceScheme) -> Duration {
    let fresh = scheme.own().and_then(|own| own.tolerance());
    fresh.map_or(DEDUPE_WINDOW, |seconds| DEDUPE_WINDOW.max(Duration::from_secs(seconds.into())))
}

fn max_decoded_body(context: &mut Context<'_>, written: Option<&Spanned<Size>>) -> usize {
    let Some(written) = written else { return DEFAULT_MAX_DECODED };
    let limit = written.get_ref().bytes();
    if !(1..=MAX_DECODED).contains(&limit) {
        let remedy = "leave it out to take what has up to 16MiB";
        context.error(written.span(), "what a compressed body holds has between 1 byte and 256MiB", remedy);
    }
    limit
}

/// What single providers want beside secrets, each a secret or a text.
struct Extras {
    public_key: Option<Secret>,
    audience: Option<Secret>,
    pin_algorithm: Option<Secret>,
    secondary_secret: Option<Secret>,
    verify_token: Option<Secret>,
}

impl Extras {
    fn resolve(context: &mut Context<'_>, written: &file::Source) -> Option<Self> {
        let mut resolve = |text: &Option<Text>, is_secret| match text {
            None => Some(None),
            Some(text) => context.secret(text, is_secret).map(Some),
        };
        Some(Self {
            public_key: resolve(&written.public_key, false)?,
            audience: resolve(&written.audience, false)?,
            pin_algorithm: resolve(&written.pin_algorithm, false)?,
            secondary_secret: resolve(&written.secondary_secret, true)?,
            verify_token: resolve(&written.verify_token, true)?,
        })
    }

    fn exposed(&self) -> verify::Extras<'_> {
        fn exposed(secret: Option<&Secret>) -> Option<&str> {
            secret.map(Secret::expose)
        }
        verify::Extras {
            public_key: exposed(self.public_key.as_ref()),
            audience: exposed(self.audience.as_ref()),
            pin_algorithm: exposed(self.pin_algorithm.as_ref()),
            secondary_secret: exposed(self.secondary_secret.as_ref()),
            verify_token: exposed(self.verify_token.as_ref()),
        }
    }
}

fn scheme(
    context: &mut Context<'_>,
    name: &Text,
    written: &file::Source,
    secrets: &[Secret],
    extras: &Extras,
    has_public_url: bool,
) -> Option<SourceScheme> {
    if let Some(scheme) = &written.scheme
        && let Some(plugin) = scheme.get_ref().strip_prefix(PLUGIN)
    {
        return plugin_scheme(context, written, scheme, plugin);
    }
    if let Some(config) = &written.config {
        let remedy = "a plugin's is beside `scheme = \"plugin:NAME\"`";
        context.error(config.span(), "only a plugin is given a `config`", remedy);
    }
    if written.scheme.is_none() && written.verify.is_none() {
        let message = format!("source \"{}\" does not say how it verifies", name.get_ref());
        context.error(name.span(), message, "set `scheme` to a preset, or to \"none\" if anybody may post");
        return None;
    }
    let exposed: Vec<_> = secrets.iter().map(Secret::expose).collect();
    let verify = written.verify.as_ref().map(Spanned::get_ref);
    let setup = Setup {
        scheme: written.scheme.as_ref().map(|scheme| scheme.get_ref().as_str()),
        verify,
        secrets: &exposed,
        resolved: Some(&checks::secrets(context, name.get_ref(), verify)?),
        has_public_url,
        extras: extras.exposed(),
        max_decoded: written.max_decoded_body.as_ref().map(|limit| limit.get_ref().bytes()),
    };
    match Scheme::compile(&setup) {
        Ok(scheme) => {
            if scheme.is_open() {
                let message = format!("source \"{}\" accepts what anybody posts", name.get_ref());
                context.warning(name.span(), message, "");
            }
            if scheme.lacks_verify_token() {
                let message = format!("source \"{}\": `verify_token` is missing", name.get_ref());
                let remedy = "set it to the text that you type in at the provider as verify token";
                context.error(name.span(), message, remedy);
            }
            Some(SourceScheme::Own(Arc::new(scheme)))
        }
        Err(error) => {
            let remedy = match &error {
                SchemeError::Unknown { name } => did_you_mean(name, verify::preset_names()),
                SchemeError::Field { .. } => None,
            };
            let remedy = remedy.map(|close| format!("did you mean \"{close}\"?")).unwrap_or_default();
            let message = format!("source \"{}\": {error}", name.get_ref());
            let span = place(context, name, &error);
            context.error(span, message, &remedy);
            None
        }
    }
}

/// A source that a plugin verifies. What a scheme of the gateway's own is made of means
/// nothing to it.
fn plugin_scheme(
    context: &mut Context<'_>,
    written: &file::Source,
    scheme: &Text,
    plugin: &str,
) -> Option<SourceScheme> {
    if let Some(secret) = written.secrets.first() {
        let remedy =
            format!("name it in [secrets], and grant it: `grants = [\"secrets:NAME\"]` in [plugin.{plugin}]");
        context.error(secret.span(), "`secrets` are not handed to a plugin that verifies", &remedy);
    }
    if let Some(verify) = &written.verify {
        let message = "`verify` spells out a scheme of the gateway's own, and this source has a plugin";
        context.error(verify.span(), message, "give the plugin its settings in `config`");
    }
    let beside = [
        &written.public_key,
        &written.audience,
        &written.pin_algorithm,
        &written.secondary_secret,
        &written.verify_token,
    ];
    for key in beside.into_iter().flatten() {
        let message = "this key is for schemes of the gateway's own, and this source has a plugin";
        context.error(key.span(), message, "give the plugin its settings in `config`");
    }
    let config = written.config.as_ref().map(Spanned::get_ref);
    let named = named::plugin(context, scheme.span(), plugin, config)?;
    Some(SourceScheme::Plugin(Arc::new(named)))
}

/// Where the key is that an error is about: of what the source itself does not say, its
/// scheme or its name.
fn place(context: &Context<'_>, name: &Text, error: &SchemeError) -> Range<usize> {
    let field = match error {
        SchemeError::Unknown { .. } => "scheme",
        SchemeError::Field { field, .. } => field,
    };
    let own = |field: &str| {
        let place = context.report.locate(&["sources", name.get_ref(), field]);
        place.filter(|place| *place != name.span())
    };
    own(field).or_else(|| field.starts_with("verify").then(|| own("scheme")).flatten()).unwrap_or(name.span())
}

fn method(context: &mut Context<'_>, name: &Text) -> Option<Method> {
    let method = Method::from_bytes(name.get_ref().to_ascii_uppercase().as_bytes()).ok();
    if method.is_none() {
        context.error(name.span(), format!("`{}` is not an HTTP method", name.get_ref()), "");
    }
    method
}

/// What a preset's provider sends events with.
fn methods_of(preset: &Preset) -> Vec<Method> {
    let named = preset.methods.iter().flatten().filter_map(|name| Method::from_bytes(name.as_bytes()).ok());
    let methods: Vec<_> = named.collect();
    if methods.is_empty() { vec![Method::POST] } else { methods }
}

/// The answer that a preset's provider wants.
fn reply_of(preset: &Preset) -> Option<Reply> {
    let PresetReply { status, content_type, body } = preset.reply.as_ref()?;
    let content_type = content_type.as_deref().and_then(|kind| HeaderValue::from_str(kind).ok());
    Some(Reply { status: StatusCode::from_u16(*status).ok()?, content_type, body: body.clone() })
}

fn dedupe_key(
    context: &mut Context<'_>,
    written: Option<&Text>,
    scheme: &SourceScheme,
    preset: Option<&Preset>,
) -> Option<DedupeBy> {
    let Some(written) = written else {
        return Some(match preset.and_then(|preset| preset.dedupe) {
            Some(PresetDedupe::Content) => DedupeBy::Content,
            None => DedupeBy::Id,
        });
    };
    Some(match written.get_ref().split_once(':') {
        None if written.get_ref() == "id" => DedupeBy::Id,
        None if written.get_ref() == "content" => DedupeBy::Content,
        Some(("header", name)) if HeaderName::from_bytes(name.as_bytes()).is_ok() => {
            let name = name.to_ascii_lowercase();
            if scheme.hides_header(&name) {
                let message = format!("`{name}` is a credential, and what makes a repeat is stored");
                context.error(written.span(), message, "choose a header that names the event");
            }
            DedupeBy::Header(name)
        }
        Some(("json", pointer)) if pointer.starts_with('/') => DedupeBy::Json(pointer.to_owned()),
        _ => {
            let message = format!("`{}` does not say what makes a repeat", written.get_ref());
            context.error(
                written.span(),
                message,
                "write \"id\", \"header:x-id\", \"json:/id\" or \"content\"",
            );
            return None;
        }
    })
}

fn reply(context: &mut Context<'_>, written: &Spanned<file::Reply>) -> Option<Reply> {
    let file::Reply { status, content_type, body } = written.get_ref();
    let status = StatusCode::from_u16(status.unwrap_or(200)).ok().filter(StatusCode::is_success);
    let Some(status) = status else {
        context.error(
            written.span(),
            "an accepted request is answered with 2xx",
            "choose a status from 200 to 299",
        );
        return None;
    };
    let content_type = match content_type.as_deref().map(HeaderValue::from_str) {
        None => None,
        Some(Ok(kind)) => Some(kind),
        Some(Err(_)) => {
            context.error(
                written.span(),
                "`content_type` is not one that HTTP allows",
                "write it like \"text/xml\"",
            );
            return None;
        }
    };
    Some(Reply { status, content_type, body: body.clone() })
}
