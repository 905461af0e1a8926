//! `[plugins]`, `[plugin.NAME]` and `[secrets]`: what plugins may use and do.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use toml::Spanned;

use super::Context;
use crate::config::Store;
use crate::config::file::{File, PluginLimits, PluginPolicy};
use crate::config::units::{Size, Span};
use crate::plugin::{Compiler, Grants, Limits, PluginSettings, Policy, normalize};

const PLUGINS_DIR: &str = "plugins";
const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn plugins(context: &mut Context<'_>, file: &File, store: &Store) -> PluginSettings {
    let secrets: BTreeMap<_, _> = file
        .secrets
        .iter()
        .filter_map(|(name, reference)| {
            let named = context.checked_name("secret", name);
            let secret = context.secret(reference, true)?;
            named.then(|| (name.get_ref().clone(), secret))
        })
        .collect();
    let mut defaults = Policy::default();
    limit(context, &mut defaults.limits, file.plugins.limits());
    let mut plugins = BTreeMap::new();
    for (name, written) in &file.plugin {
        let mut limits = defaults.limits.clone();
        limit(context, &mut limits, written.limits());
        let policy =
            Policy { limits, reuse: written.reuse.unwrap_or(0), grants: grants(context, file, written) };
        if plugins.insert(normalize(name.get_ref()), policy).is_some() {
            let message = format!("[plugin.{}] is there twice: \"-\" and \"_\" are one", name.get_ref());
            context.error(name.span(), message, "write one table of the two");
        }
    }
    PluginSettings {
        dir: context.base.join(file.plugins.dir.as_deref().unwrap_or(Path::new(PLUGINS_DIR))),
        // Beside the store and not in the plugins folder: who may add a plugin may not
        // thereby add compiled code.
        cache_dir: store.path.parent().map(|folder| folder.join("plugin-cache")),
        // Whoever starts the room knows whether this program can be started as one.
        compiler: Compiler::default(),
        workers: file.plugins.workers.unwrap_or_else(default_workers).max(1),
        defaults,
        plugins,
        secrets,
    }
}

fn default_workers() -> usize {
    available_parallelism().map_or(2, usize::from)
}

/// Takes over what a table sets, and reports what lies outside of its bounds.
fn limit(context: &mut Context<'_>, limits: &mut Limits, written: PluginLimits<'_>) {
    let span = |range: RangeInclusive<Duration>| move |span: Span| range.contains(&span.0);
    let size = |range: RangeInclusive<u64>| move |size: Size| range.contains(&size.0);
    let mut take = Bounded { context };
    let rule = "a deadline lies between 1ms and 1m";
    take.set(&mut limits.deadline, written.deadline, span(MILLI..=Duration::from_mins(1)), |s| s.0, rule);
    let rule = "a plugin's memory lies between 64KiB and 4GiB";
    take.set(&mut limits.memory, written.memory, size(64 << 10..=4 << 30), Size::bytes, rule);
    let rule = "a plugin's output lies between 1KiB and 256MiB";
    take.set(&mut limits.output_bytes, written.output, size(1 << 10..=256 << 20), Size::bytes, rule);
    let rule = "a split has between 1 and 1000 messages";
    take.set(&mut limits.messages, written.messages, |n| (1..=Limits::MESSAGES).contains(&n), |n| n, rule);
    let rule = "a call has at most 100000 log lines";
    take.set(&mut limits.log_lines, written.log_lines, |n| n <= 100_000, |n| n, rule);
    let rule = "a call's log has at most 64MiB";
    take.set(&mut limits.log_bytes, written.log_bytes, size(0..=64 << 20), Size::bytes, rule);
    // Any size makes sense: with 0 a plugin only reads and deletes.
    take.set(&mut limits.kv_size, written.kv_size, |_| true, |s| s.0, "");
    let rule = "a plugin's file has between 1KiB and 256MiB";
    take.set(&mut limits.module_bytes, written.module_size, size(1 << 10..=256 << 20), |s| s.0, rule);
    let rule = "compiling takes between 1s and 1h";
    let hour = Duration::from_hours(1);
    take.set(&mut limits.compile_time, written.compile_time, span(SECOND..=hour), |s| s.0, rule);
    let rule = "the memory for compiling lies between 128MiB and 64GiB";
    take.set(&mut limits.compile_memory, written.compile_memory, size(128 << 20..=64 << 30), |s| s.0, rule);
}

struct Bounded<'a, 'b> {
    context: &'a mut Context<'b>,
}

impl Bounded<'_, '_> {
    /// Sets a limit to what is written, if anything is.
    fn set<W: Copy, L>(
        &mut self,
        limit: &mut L,
        written: Option<&Spanned<W>>,
        fits: impl Fn(W) -> bool,
        value: impl Fn(W) -> L,
        rule: &str,
    ) {
        let Some(written) = written else { return };
        if !fits(*written.get_ref()) {
            self.context.error(written.span(), rule, "");
        }
        *limit = value(*written.get_ref());
    }
}

/// A grant of a secret that is not there is an error here: the plugin would find out in
/// the middle of an event.
fn grants(context: &mut Context<'_>, file: &File, written: &PluginPolicy) -> Grants {
    let mut grants = Grants::default();
    for grant in &written.grants {
        let (set, name) = match grant.get_ref().split_once(':') {
            None if grant.get_ref() == "kv" => {
                grants.kv = true;
                continue;
            }
            Some(("secrets", name)) => (&mut grants.secrets, name),
            Some(("reveal", name)) => (&mut grants.reveal, name),
            _ => {
                let message = format!("`{}` is not a grant", grant.get_ref());
                context.error(
                    grant.span(),
                    message,
                    "grants are \"kv\", \"secrets:NAME\" and \"reveal:NAME\"",
                );
                continue;
            }
        };
        if file.secrets.keys().any(|known| known.get_ref() == name) {
            set.insert(name.to_owned());
        } else {
            let message = format!("there is no secret `{name}` in [secrets]");
            context.error(grant.span(), message, &format!("add `{name} = \"env:{name}\"` to [secrets]"));
        }
    }
    grants
}
