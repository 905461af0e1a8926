//! Turns functions into the exports of the contract.

use std::sync::{PoisonError, RwLock};

use serde::de::DeserializeOwned;

use crate::{Event, Result, config};

/// Makes functions the exports of this crate's component. `#[filter]` and
/// `#[transform]` write it for a single function; a plugin that exports both writes it
/// itself, on functions without an attribute:
///
/// ```
/// use hookloom_sdk::*;
///
/// fn wanted(event: &Event) -> Result<Verdict> {
///     Ok(if event.is_type("issues") { pass() } else { drop("not an issue") })
/// }
///
/// fn slim(event: &Event) -> Result<Outcome> {
///     let body: serde_json::Value = event.json()?;
///     Ok(replace(Message::json(&body["issue"])?))
/// }
///
/// plugin! { filter: wanted, transform: slim; description = "Issues, and only the issue" }
/// # fn main() {}
/// ```
///
/// Each function that has a configuration gets the step's, as the type that it asks for;
/// where several have one, it is best the same type.
#[macro_export]
macro_rules! plugin {
    ($($role:ident : $function:path),+ $(; $($key:ident = $value:expr),* $(,)?)?) => {
        // Two plugins in one crate would export everything twice.
        #[doc(hidden)]
        #[allow(dead_code)]
        const ONE_CRATE_IS_ONE_PLUGIN_WRITE_plugin_FOR_SEVERAL_FUNCTIONS: () = ();

        const _: () = {
            #[allow(dead_code)]
            fn describe() -> $crate::Metadata {
                $crate::Metadata::of_package(
                    ::core::env!("CARGO_PKG_NAME"),
                    ::core::env!("CARGO_PKG_VERSION"),
                    ::core::env!("CARGO_PKG_DESCRIPTION"),
                )
                $($(.$key($value))*)?
            }

            #[allow(dead_code)]
            fn configure(config: &str) -> ::core::result::Result<(), ::std::string::String> {
                // All of them are configured; one that reads it is enough.
                let read = [$($crate::__role!($role slot).configure($function, config)?),+];
                $crate::__private::refuse_unread(&read, config)
            }

            $($crate::__role!($role static);)+

            #[cfg(target_family = "wasm")]
            struct Component;

            #[cfg(target_family = "wasm")]
            impl $crate::__private::bindings::lifecycle::exports::hookloom::plugin::lifecycle::Guest
                for Component
            {
                fn describe() -> $crate::Metadata {
                    $crate::__private::report_panics();
                    describe()
                }

                fn configure(
                    config: ::std::string::String,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    $crate::__private::report_panics();
                    configure(&config)
                }
            }

            #[cfg(target_family = "wasm")]
            $crate::__private::bindings::lifecycle::export_lifecycle!(
                Component with_types_in $crate::__private::bindings::lifecycle
            );

            $($crate::__role!($role export $function);)+
        };
    };
}

/// What [`plugin!`] writes for each kind of function.
#[doc(hidden)]
#[macro_export]
macro_rules! __role {
    (filter slot) => { FILTER };
    (filter static) => {
        static FILTER: $crate::__private::Slot<$crate::Verdict> = $crate::__private::Slot::new();
    };
    (filter export $function:path) => {
        #[cfg(target_family = "wasm")]
        impl $crate::__private::bindings::filter::exports::hookloom::plugin::filter::Guest for Component {
            fn filter(event: $crate::Event) -> $crate::Result<$crate::Verdict> {
                $crate::__private::report_panics();
                FILTER.call($function, &event)
            }
        }

        #[cfg(target_family = "wasm")]
        $crate::__private::bindings::filter::export_filter!(
            Component with_types_in $crate::__private::bindings::filter
        );
    };
    (transform slot) => { TRANSFORM };
    (transform static) => {
        static TRANSFORM: $crate::__private::Slot<$crate::Outcome> = $crate::__private::Slot::new();
    };
    (transform export $function:path) => {
        #[cfg(target_family = "wasm")]
        impl $crate::__private::bindings::transform::exports::hookloom::plugin::transform::Guest
            for Component
        {
            fn transform(event: $crate::Event) -> $crate::Result<$crate::Outcome> {
                $crate::__private::report_panics();
                TRANSFORM.call($function, &event)
            }
        }

        #[cfg(target_family = "wasm")]
        $crate::__private::bindings::transform::export_transform!(
            Component with_types_in $crate::__private::bindings::transform
        );
    };
    ($other:ident $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "a plugin exports `filter` or `transform`, not `", ::core::stringify!($other), "`"
        ))
    };
}

/// Refuses the configuration of a plugin none of whose functions reads it.
pub fn refuse_unread(read: &[bool], config: &str) -> Result<(), String> {
    if read.contains(&true) { Ok(()) } else { config::expect_none(config) }
}

/// A function together with its configuration.
type Bound<Answer> = Box<dyn Fn(&Event) -> Result<Answer> + Send + Sync>;

/// A function of a plugin. `Config` is `()` for one that has no configuration and
/// `(C,)` for one whose configuration is `C`; it only tells the two shapes apart.
#[diagnostic::on_unimplemented(
    message = "this is no function of a plugin that answers with `{Answer}`",
    label = "has to be `fn(&Event) -> Result<{Answer}>` or `fn(&Event, &Config) -> Result<{Answer}>`",
    note = "`Config` has to be `Deserialize + Send + Sync`; `#[config]` on a struct makes it so"
)]
pub trait Handler<Answer, Config> {
    /// Whether it has a configuration.
    const READS_CONFIG: bool;

    /// Reads the configuration, once, and keeps it for every later call.
    fn bind(self, config: &str) -> Result<Bound<Answer>, String>;
}

impl<Answer, F> Handler<Answer, ()> for F
where
    F: Fn(&Event) -> Result<Answer> + Send + Sync + 'static,
{
    const READS_CONFIG: bool = false;

    fn bind(self, _: &str) -> Result<Bound<Answer>, String> {
        Ok(Box::new(self))
    }
}

impl<Answer, F, Config> Handler<Answer, (Config,)> for F
where
    F: Fn(&Event, &Config) -> Result<Answer> + Send + Sync + 'static,
    Config: DeserializeOwned + Send + Sync + 'static,
{
    const READS_CONFIG: bool = true;

    fn bind(self, config: &str) -> Result<Bound<Answer>, String> {
        let config: Config = config::parse(config)?;
        Ok(Box::new(move |event| self(event, &config)))
    }
}

/// Where an instance keeps its configured function.
pub struct Slot<Answer>(RwLock<Option<Bound<Answer>>>);

impl<Answer> Slot<Answer> {
    /// Not configured.
    #[expect(clippy::new_without_default, reason = "only ever made for a static")]
    pub const fn new() -> Self {
        Self(RwLock::new(None))
    }

    /// The export `configure`, as far as one function goes. Says whether that function
    /// has a configuration.
    pub fn configure<Config, H: Handler<Answer, Config>>(
        &self,
        handler: H,
        config: &str,
    ) -> Result<bool, String> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(handler.bind(config)?);
        Ok(H::READS_CONFIG)
    }

    /// The export of the capability. A host that did not configure has no
    /// configuration.
    pub fn call<Config>(&self, handler: impl Handler<Answer, Config>, event: &Event) -> Result<Answer> {
        if let Some(bound) = &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            return bound(event);
        }
        handler.bind("null").map_err(crate::Error::Misconfigured)?(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Verdict, drop, pass, testing};

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
        let slot = Slot::new();
        assert_eq!(
            slot.call(from_wanted, &by("a")),
            Err(Error::Misconfigured("missing field `login`".to_owned()))
        );
    }
}
