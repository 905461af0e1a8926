//! A plugin's function together with its configuration.

use std::sync::{PoisonError, RwLock};

use serde::de::DeserializeOwned;

use crate::answer::{Answer, Becomes};
use crate::{Error, config};

/// A function that has read its configuration.
pub(crate) type Bound<A> = Box<dyn Fn(&<A as Answer>::Input) -> A + Send + Sync>;

/// A function of a plugin. `Config` is `()` for one that has no configuration and
/// `(C,)` for one whose configuration is `C`; it only tells the two shapes apart.
#[diagnostic::on_unimplemented(
    message = "this is no function of a plugin that is given a `{Input}`",
    label = "has to be `fn(&{Input}) -> …` or `fn(&{Input}, &Config) -> …`",
    note = "`Config` has to be `Deserialize + Send + Sync`; `#[config]` on a struct makes it so"
)]
pub trait Handler<Input, Returned, Config> {
    /// Whether it has a configuration.
    const READS_CONFIG: bool;

    /// Reads the configuration, once, and keeps it for every later call.
    #[doc(hidden)]
    fn bind<A: Answer<Input = Input>>(self, config: &str) -> Result<Bound<A>, String>
    where
        Returned: Becomes<A>;
}

impl<Input, Returned, F> Handler<Input, Returned, ()> for F
where
    F: Fn(&Input) -> Returned + Send + Sync + 'static,
{
    const READS_CONFIG: bool = false;

    fn bind<A: Answer<Input = Input>>(self, _: &str) -> Result<Bound<A>, String>
    where
        Returned: Becomes<A>,
    {
        Ok(Box::new(move |input| self(input).answer()))
    }
}

impl<Input, Returned, F, Config> Handler<Input, Returned, (Config,)> for F
where
    F: Fn(&Input, &Config) -> Returned + Send + Sync + 'static,
    Config: DeserializeOwned + Send + Sync + 'static,
{
    const READS_CONFIG: bool = true;

    fn bind<A: Answer<Input = Input>>(self, config: &str) -> Result<Bound<A>, String>
    where
        Returned: Becomes<A>,
    {
        let config: Config = config::parse(config)?;
        Ok(Box::new(move |input| self(input, &config).answer()))
    }
}

/// Refuses the configuration of a plugin none of whose functions reads it.
pub fn refuse_unread(read: &[bool], config: &str) -> Result<(), String> {
    if read.contains(&true) { Ok(()) } else { config::expect_none(config) }
}

/// Where an instance keeps its configured function.
pub struct Slot<A: Answer>(RwLock<Option<Bound<A>>>);

impl<A: Answer> Slot<A> {
    /// Not configured.
    #[expect(clippy::new_without_default, reason = "only ever made for a static")]
    pub const fn new() -> Self {
        Self(RwLock::new(None))
    }

    /// The export `configure`, as far as one function goes. Says whether that function
    /// has a configuration.
    pub fn configure<Returned, Config, H>(&self, handler: H, config: &str) -> Result<bool, String>
    where
        H: Handler<A::Input, Returned, Config>,
        Returned: Becomes<A>,
    {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(handler.bind(config)?);
        Ok(H::READS_CONFIG)
    }

    /// The export of the capability. A host that did not configure has no
    /// configuration.
    pub fn call<Returned, Config>(
        &self,
        handler: impl Handler<A::Input, Returned, Config>,
        input: &A::Input,
    ) -> A
    where
        Returned: Becomes<A>,
    {
        if let Some(bound) = &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            return bound(input);
        }
        match handler.bind::<A>("null") {
            Ok(bound) => bound(input),
            Err(refusal) => A::of_error(Error::Misconfigured(refusal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Request, Result, Verdict, Verification, accept, drop, pass, testing, unavailable};

    #[crate::config]
    struct Wanted {
        login: String,
    }

    fn from_wanted(event: &Event, config: &Wanted) -> Result<Verdict> {
        let login: String = event.json()?;
        Ok(if login == config.login { pass() } else { drop("somebody else") })
    }

    fn by(login: &str) -> Event {
        testing::event("s").json(login).build()
    }

    #[test]
    fn a_slot_calls_with_what_it_was_configured_with() {
        let slot = Slot::new();
        slot.configure(from_wanted, r#"{"login": "a"}"#).unwrap();
        assert_eq!(slot.call(from_wanted, &by("a")), Ok(Verdict::Pass));
        assert_eq!(slot.call(from_wanted, &by("b")), Ok(Verdict::Drop("somebody else".to_owned())));
    }

    #[test]
    fn a_refused_configuration_leaves_the_slot_as_it_was() {
        let slot = Slot::new();
        slot.configure(from_wanted, r#"{"login": "a"}"#).unwrap();
        assert!(slot.configure(from_wanted, r#"{"logon": "b"}"#).unwrap_err().contains("`logon`"));
        assert_eq!(slot.call(from_wanted, &by("a")), Ok(Verdict::Pass));
    }

    #[test]
    fn settings_that_no_function_reads_are_refused() {
        assert_eq!(refuse_unread(&[false, true], r#"{"a": 1}"#), Ok(()));
        assert!(refuse_unread(&[false, false], r#"{"a": 1}"#).is_err());
        assert_eq!(refuse_unread(&[false], "null"), Ok(()));
    }

    #[test]
    fn without_configure_there_is_no_configuration() {
        let slot: Slot<Result<Verdict>> = Slot::new();
        assert_eq!(
            slot.call(from_wanted, &by("a")),
            Err(Error::Misconfigured("missing field `login`".to_owned()))
        );
    }

    #[test]
    fn a_verifier_that_is_not_configured_accepts_nothing() {
        let check = |_: &Request, _: &Wanted| accept();
        let slot: Slot<Verification> = Slot::new();
        let request = testing::request().build();
        assert_eq!(slot.call(check, &request), unavailable("missing field `login`"));
        slot.configure(check, r#"{"login": "a"}"#).unwrap();
        assert_eq!(slot.call(check, &request), Verification::Accepted(accept()));
    }
}
