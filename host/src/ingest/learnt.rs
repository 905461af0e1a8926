//! Secrets that handshakes handed over, in force beside the configured ones: at once,
//! after restarts, and with every configuration that comes into force.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::refusal::Refusal;
use super::source::Source;
use crate::clock::Clock;
use crate::learning::{Claim, Windows};
use crate::model::Secret;
use crate::store::{Learning, MAX_LEARNT, Store, StoreError};
use crate::verify::Scheme;
use crate::verify::compare::equal;

/// What is learnt, by source, and the schemes that it makes. It prints none of it.
pub struct Learnt {
    store: Arc<dyn Store>,
    windows: Arc<Windows>,
    clock: Clock,
    /// Newest first; as it is in the store.
    secrets: ArcSwap<HashMap<String, Arc<[Secret]>>>,
    /// What was made so far, at the first request that asked for it.
    schemes: ArcSwap<HashMap<String, Made>>,
    /// One change at a time, so that memory follows the store.
    changing: Mutex<()>,
}

/// A scheme, and what it was made of: it holds as long as both are in force.
#[derive(Clone, Debug)]
struct Made {
    source: Arc<Source>,
    secrets: Arc<[Secret]>,
    /// `None`: what was learnt cannot be a secret of the scheme that is configured now.
    scheme: Option<Arc<Scheme>>,
}

impl fmt::Debug for Learnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Learnt(***)")
    }
}

impl Made {
    fn is_of(&self, source: &Arc<Source>, secrets: &Arc<[Secret]>) -> bool {
        Arc::ptr_eq(&self.source, source) && Arc::ptr_eq(&self.secrets, secrets)
    }
}

impl Learnt {
    /// Reads what was learnt before.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(
        store: Arc<dyn Store>,
        windows: Arc<Windows>,
        clock: Clock,
    ) -> Result<Arc<Self>, StoreError> {
        let mut by_source: HashMap<String, Vec<Secret>> = HashMap::new();
        for learnt in store.learnt_secrets().await? {
            by_source.entry(learnt.source).or_default().push(learnt.secret);
        }
        let secrets = by_source.into_iter().map(|(source, secrets)| (source, secrets.into())).collect();
        Ok(Arc::new(Self {
            store,
            windows,
            clock,
            secrets: ArcSwap::from_pointee(secrets),
            schemes: ArcSwap::default(),
            changing: Mutex::default(),
        }))
    }

    /// Drops what a source has learnt: the next event that is signed by it is refused.
    /// Returns how many secrets there were.
    ///
    /// # Errors
    /// The store's; then nothing is dropped.
    pub async fn forget(&self, source: &str) -> Result<usize, StoreError> {
        let _one = self.changing.lock().await;
        let count = self.store.forget_secrets(source).await?;
        self.secrets.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.remove(source);
            all
        });
        tracing::info!(source, count, "the secrets that handshakes handed over are forgotten");
        Ok(count)
    }

    /// The scheme that a source has with what it learnt; `None` where it learnt nothing
    /// or its scheme never does.
    pub(super) fn scheme(&self, source: &Arc<Source>) -> Option<Arc<Scheme>> {
        let own = source.scheme.own().filter(|own| own.learns())?;
        let secrets = Arc::clone(self.secrets.load().get(&source.name)?);
        if let Some(made) = self.schemes.load().get(&source.name).filter(|made| made.is_of(source, &secrets))
        {
            return made.scheme.clone();
        }
        let scheme = own.with_secrets(&secrets).map(Arc::new);
        if let Err(error) = &scheme {
            let source = &source.name;
            tracing::error!(source, %error, "what a handshake handed over does not fit the scheme any more");
        }
        let made = Made { source: Arc::clone(source), secrets, scheme: scheme.ok() };
        self.schemes.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.insert(source.name.clone(), made.clone());
            all
        });
        made.scheme
    }

    /// Keeps a secret that a handshake hands over, if the operator opened the window for
    /// it. When it returns, the secret is on disk and in force.
    ///
    /// # Errors
    /// What the handshake is refused with.
    pub(super) async fn learn(
        self: &Arc<Self>,
        source: &Source,
        own: &Scheme,
        secret: &Secret,
    ) -> Result<(), Refusal> {
        let (name, now) = (&source.name, self.clock.monotonic());
        let unawaited = || {
            Refusal::Forbidden(format!(
                "nobody waits for this handshake: the operator runs `hookloom source arm {name}` before it"
            ))
        };
        // First, because anybody can ask, and the rest costs more.
        self.windows.until(name, now).ok_or_else(unawaited)?;
        if own.with_secrets(std::slice::from_ref(secret)).is_err() {
            return Err(Refusal::Malformed(
                "what is handed over cannot be a secret of this source".to_owned(),
            ));
        }
        if self.is_full(name, secret) {
            return Err(full(name));
        }
        let claim = self.windows.claim(name, now).ok_or_else(unawaited)?;
        let (learnt, secret, shows) = (Arc::clone(self), secret.clone(), own.shows_secret());
        // By itself: the sender may go away, and a window that was taken is settled.
        match tokio::spawn(async move { learnt.keep(claim, secret, shows).await }).await {
            Ok(Ok(Learning::Kept)) => Ok(()),
            Ok(Ok(Learning::Full)) => Err(full(name)),
            Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable("the secret could not be stored")),
        }
    }

    /// Whether the source has no room for that secret beside the others.
    fn is_full(&self, source: &str, secret: &Secret) -> bool {
        self.secrets.load().get(source).is_some_and(|known| others(known, secret).count() >= MAX_LEARNT)
    }

    async fn keep(&self, claim: Claim, secret: Secret, shows: bool) -> Result<Learning, StoreError> {
        let _one = self.changing.lock().await;
        let source = claim.source();
        match self.store.learn_secret(source, &secret).await {
            Ok(Learning::Kept) => {}
            Ok(Learning::Full) => {
                self.windows.give_back(&claim);
                return Ok(Learning::Full);
            }
            Err(error) => {
                tracing::error!(source, %error, "the secret of a handshake could not be stored; answering 503");
                self.windows.give_back(&claim);
                return Err(error);
            }
        }
        self.secrets.rcu(|all| {
            let before = all.get(source).map_or(&[][..], |secrets| &secrets[..]);
            let newest: Vec<_> = std::iter::once(&secret).chain(others(before, &secret)).cloned().collect();
            let mut all = HashMap::clone(all);
            all.insert(source.to_owned(), newest.into());
            all
        });
        self.windows.used(&claim, shows.then_some(secret));
        tracing::info!(source, "a handshake handed over a secret; it is in force, and the window is closed");
        Ok(Learning::Kept)
    }
}

fn others<'s>(known: &'s [Secret], secret: &'s Secret) -> impl Iterator<Item = &'s Secret> {
    known.iter().filter(|one| !equal(one.expose().as_bytes(), secret.expose().as_bytes()))
}

/// The sender keeps its webhook unconfirmed, and the operator learns why from the log.
fn full(source: &str) -> Refusal {
    tracing::warn!(source, kept = MAX_LEARNT, "a handshake is refused: no further secret is kept");
    Refusal::Forbidden(format!(
        "{source} has learnt {MAX_LEARNT} secrets and keeps no more: the operator runs `hookloom source \
         forget {source}`, which drops them all"
    ))
}
