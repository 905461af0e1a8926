//! How many files the process may have open, and how many connections that allows.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Kept for the store, plugins, watchers and deliveries: a quarter, and no more than this.
const RESERVE: u64 = 1024;
/// Of what is left for connections, the admin side's part: few people look at it.
const ADMIN_PART: u64 = 8;

/// Connections at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// Where webhooks come in.
    pub(super) door: usize,
    /// Where operators look.
    pub(super) admin: usize,
}

/// Asks for as many open files as the system grants the process, and returns how many those
/// are; `None` is no limit.
pub(super) fn raise() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    let before = limit.current;
    limit.current = limit.maximum;
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.current,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it is");
            before
        }
    }
}

/// The places of both ports, where `wanted` is what each may have.
pub(super) fn places(wanted: usize, files: Option<u64>) -> Places {
    let Some(files) = files else { return Places { door: wanted, admin: wanted } };
    let free = files - RESERVE.min(files / 4);
    let at_most = |free: u64| wanted.min(usize::try_from(free).unwrap_or(usize::MAX)).max(1);
    let admin = at_most(free / ADMIN_PART);
    let places = Places { door: at_most(free.saturating_sub(admin as u64)), admin };
    if places.door < wanted {
        tracing::warn!(
            max_connections = wanted,
            files,
            connections = places.door,
            "the process may not open enough files for so many connections; raise its limit (`ulimit -Hn`)"
        );
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        for (wanted, files, door, admin) in [
            (4096, None, 4096, 4096),
            (4096, Some(1_048_576), 4096, 4096),
            (4096, Some(4096), 2688, 384),
            (4096, Some(1024), 672, 96),
            (100, Some(1024), 100, 96),
            (4096, Some(0), 1, 1),
            (
                usize::MAX,
                Some(u64::MAX),
                usize::MAX - 1024 - (usize::MAX - 1024) / 8,
                (usize::MAX - 1024) / 8,
            ),
        ] {
            assert_eq!(places(wanted, files), Places { door, admin }, "{wanted} {files:?}");
        }
    }

    #[test]
    fn what_the_system_grants_is_asked_for() {
        let granted = raise();
        let now = getrlimit(Resource::Nofile);
        assert_eq!((granted, now.current), (now.maximum, now.maximum));
    }
}
