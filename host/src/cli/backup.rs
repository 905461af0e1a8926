//! `hookloom backup`: a consistent copy of the store, also while the gateway runs.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::print;
use crate::config::Config;
use crate::store::SqliteStore;

/// Copy the store into a new file, also while the gateway runs
///
/// The copy is the store at one moment: every event that was answered with 2xx before the
/// command began is in it, with what is pending and what is remembered. It is written
/// beside FILE, checked, and gets its name last; an existing FILE is not overwritten.
///
/// To restore: stop the gateway, put the copy in the place of the store (data/hookloom.db
/// unless [store] says otherwise), remove the files of the same name with -wal and -shm at
/// its end, and start the gateway. What was pending in the copy is then delivered under
/// the webhook-ids that it had, so receivers that know these ids take nothing twice.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The new file
    file: PathBuf,
    /// The gateway's configuration, which says where the store is
    #[arg(short, long, default_value = "hookloom.toml")]
    config: PathBuf,
    /// A JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let store = Config::load_store(&options.config)?.path;
    let found = SqliteStore::backup(&store, &options.file)?;
    let bytes = std::fs::metadata(&options.file)?.len();
    let deliveries: u64 = found.backlog.deliveries.iter().map(|(_, count)| count).sum();
    if options.json {
        let copied = json!({
            "file": options.file, "bytes": bytes, "schema": found.schema,
            "pending_runs": found.backlog.runs, "pending_deliveries": deliveries,
        });
        print(&copied.to_string());
    } else {
        print(&format!(
            "{}: {}, with {} run(s) and {deliveries} deliveries pending",
            options.file.display(),
            bytesize::ByteSize(bytes),
            found.backlog.runs,
        ));
    }
    Ok(ExitCode::SUCCESS)
}
