//! From what is written to what is in force: defaults filled in, names resolved,
//! secrets read, every rule checked, all problems collected.

mod addresses;
mod checks;
mod destinations;
mod egress;
mod named;
mod plugins;
mod registered;
mod routes;
mod schemas;
mod server;
mod serving;
mod sources;
mod transport;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::file::{File, Text};
use super::problem::{Report, did_you_mean};
use super::secret::{self, Secret, SecretOrigin};
use super::{Config, Problems, Server, Store};

pub(super) fn resolve(path: &Path, text: &str) -> Result<Config, Problems> {
    let (report, file) = parse(path, text)?;
    let base = path.parent().unwrap_or(Path::new(""));
    let mut context = Context { report, base };
    let server = server::server(&mut context, &file.server);
    let trusted_proxies = addresses::senders(&mut context, &file.server.trusted_proxies);
    let store = server::store(&mut context, &file.store);
    let log = server::log(&mut context, &file.log);
    let plugins = plugins::plugins(&mut context, &file, &store);
    let sources = sources::sources(&mut context, &file);
    let egress = egress::egress(&mut context, &file.egress);
    let destinations = destinations::destinations(&mut context, &file, &egress);
    let routes = routes::routes(&mut context, &file);

    let Context { report: Report { errors, warnings, .. }, .. } = context;
    if !errors.is_empty() {
        return Err(Problems(errors));
    }
    let front_door = crate::ingest::FrontDoor {
        sources,
        routes: routes.clone(),
        max_body: server.max_body,
        read_timeout: server.read_timeout,
        trusted_proxies,
    };
    Ok(Config {
        file: path.to_owned(),
        server,
        store,
        log,
        plugins,
        front_door: Arc::new(front_door),
        routes: Arc::new(routes.into_iter().map(|route| (route.name.clone(), route)).collect()),
        destinations,
        egress,
        warnings,
    })
}

fn parse<'a>(path: &'a Path, text: &'a str) -> Result<(Report<'a>, File), Problems> {
    let mut report = Report::new(path, text);
    match toml::from_str(text) {
        Ok(file) => Ok((report, file)),
        Err(error) => {
            report.error(error.span(), error.message(), "");
            Err(Problems(report.errors))
        }
    }
}

/// `[server]` alone: whoever only asks a gateway has not all of its secrets.
pub(super) fn resolve_server(path: &Path, text: &str) -> Result<Server, Problems> {
    section(path, text, |context, file| server::server(context, &file.server))
}

/// `[store]` alone.
pub(super) fn resolve_store(path: &Path, text: &str) -> Result<Store, Problems> {
    section(path, text, |context, file| server::store(context, &file.store))
}

fn section<T>(
    path: &Path,
    text: &str,
    resolve: impl FnOnce(&mut Context<'_>, &File) -> T,
) -> Result<T, Problems> {
    let (report, file) = parse(path, text)?;
    let mut context = Context { report, base: path.parent().unwrap_or(Path::new("")) };
    let resolved = resolve(&mut context, &file);
    let errors = context.report.errors;
    if errors.is_empty() { Ok(resolved) } else { Err(Problems(errors)) }
}

/// What every part of the resolution is handed.
struct Context<'a> {
    report: Report<'a>,
    base: &'a Path,
}

impl Context<'_> {
    /// Reads a secret; a missing one is an error, one in the file a warning.
    fn secret(&mut self, reference: &Text, advise: bool) -> Option<Secret> {
        match secret::resolve(reference.get_ref(), self.base) {
            Ok((secret, origin)) => {
                if advise && origin == SecretOrigin::Inline {
                    let message = "the secret stands in the configuration itself";
                    self.report.warning(
                        Some(reference.span()),
                        message,
                        "write \"env:NAME\" or \"file:PATH\"",
                    );
                }
                Some(secret)
            }
            Err(message) => {
                self.report.error(Some(reference.span()), message, "");
                None
            }
        }
    }

    fn error(&mut self, span: Range<usize>, message: impl Into<String>, remedy: &str) {
        self.report.error(Some(span), message, remedy);
    }

    fn warning(&mut self, span: Range<usize>, message: impl Into<String>, remedy: &str) {
        self.report.warning(Some(span), message, remedy);
    }

    /// Says that `name` is none of `known`, and which one may be meant.
    fn unknown<'k>(&mut self, what: &str, name: &Text, known: impl IntoIterator<Item = &'k str>) {
        let remedy = did_you_mean(name.get_ref(), known).map(|known| format!("did you mean \"{known}\"?"));
        let message = format!("there is no {what} \"{}\"", name.get_ref());
        self.error(name.span(), message, remedy.as_deref().unwrap_or(""));
    }

    /// Names go into paths, headers and metrics.
    fn checked_name(&mut self, what: &str, name: &Text) -> bool {
        let text = name.get_ref();
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let ok = !text.is_empty() && text.len() <= 64 && text.chars().all(allowed);
        if !ok {
            let remedy = "names have 1 to 64 letters, digits, \"-\" and \"_\"";
            self.error(name.span(), format!("\"{text}\" cannot be the name of a {what}"), remedy);
        }
        ok
    }
}
