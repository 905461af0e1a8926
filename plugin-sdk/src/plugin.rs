//! Turns functions into the exports of the contract.

/// Makes functions the exports of this crate's component. The attributes write it for a
/// single function; a plugin that exports several of `filter`, `transform`, `verify` and
/// `classify` writes it itself, on functions without an attribute:
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
/// where several have one, it is best the same type. A source's is the `verify` function's,
/// a destination's the `classify` function's.
#[macro_export]
macro_rules! plugin {
    ($($role:ident : $function:path),+ $(; $($key:ident = $value:expr),* $(,)?)?) => {
        // Two plugins in one crate would export everything twice.
        #[doc(hidden)]
        #[allow(dead_code, non_upper_case_globals)]
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
        static FILTER: $crate::__private::Slot<$crate::Result<$crate::Verdict>> =
            $crate::__private::Slot::new();
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
        static TRANSFORM: $crate::__private::Slot<$crate::Result<$crate::Outcome>> =
            $crate::__private::Slot::new();
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
    (verify slot) => { VERIFY };
    (verify static) => {
        static VERIFY: $crate::__private::Slot<$crate::Verification> = $crate::__private::Slot::new();
    };
    (verify export $function:path) => {
        #[cfg(target_family = "wasm")]
        impl $crate::__private::bindings::verify::exports::hookloom::plugin::verify::Guest for Component {
            fn verify(
                request: $crate::__private::bindings::verify::exports::hookloom::plugin::verify::Request,
                public_url: ::std::string::String,
                now_ms: u64,
            ) -> $crate::Verification {
                $crate::__private::report_panics();
                VERIFY.call($function, &$crate::__private::request(request, public_url, now_ms))
            }
        }

        #[cfg(target_family = "wasm")]
        $crate::__private::bindings::verify::export_verify!(
            Component with_types_in $crate::__private::bindings::verify
        );
    };
    (classify slot) => { CLASSIFY };
    (classify static) => {
        static CLASSIFY: $crate::__private::Slot<$crate::Decision> = $crate::__private::Slot::new();
    };
    (classify export $function:path) => {
        #[cfg(target_family = "wasm")]
        impl $crate::__private::bindings::classify::exports::hookloom::plugin::classify::Guest
            for Component
        {
            fn classify(
                response: $crate::__private::bindings::classify::exports::hookloom::plugin::classify::Response,
                attempt: u32,
            ) -> $crate::Decision {
                $crate::__private::report_panics();
                CLASSIFY.call($function, &$crate::__private::response(response, attempt))
            }
        }

        #[cfg(target_family = "wasm")]
        $crate::__private::bindings::classify::export_classify!(
            Component with_types_in $crate::__private::bindings::classify
        );
    };
    ($other:ident $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "a plugin exports `filter`, `transform`, `verify` or `classify`, not `",
            ::core::stringify!($other), "`"
        ))
    };
}

#[cfg(test)]
mod tests {
    use crate::*;

    fn wanted(event: &Event) -> Result<Verdict> {
        Ok(if event.text()?.is_empty() { drop("nothing") } else { pass() })
    }

    fn slim(event: &Event) -> Result<Outcome> {
        Ok(replace(Message::text(event.text()?)))
    }

    fn sender(request: &Request) -> Result<Acceptance, Verification> {
        let token = request.header("x-token").ok_or_else(|| unauthorized("no token"))?;
        Ok(accept().id(token))
    }

    fn meaning(response: &Response) -> Decision {
        if response.status == 409 { done() } else { as_usual() }
    }

    // That it compiles, with each kind of function, is the test.
    plugin! { filter: wanted, transform: slim, verify: sender, classify: meaning; body = true }

    #[test]
    fn its_functions_stay_functions() {
        let event = testing::event("s").body("x").build();
        assert_eq!(wanted(&event), Ok(pass()));
        assert_eq!(slim(&event), Ok(replace(Message::text("x"))));
        assert_eq!(sender(&testing::request().build()), Err(unauthorized("no token")));
        assert_eq!(meaning(&testing::response(409).build()), done());
    }
}
