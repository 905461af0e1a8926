//! What is generated from the contract. Each exported interface is a world of its
//! own here, so that a plugin can export any set of them; the linker merges the
//! worlds whose `export` macro the plugin invoked.
#![allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated from wit/")]

/// The imports, and the `lifecycle` that every plugin exports.
pub mod lifecycle {
    wit_bindgen::generate!({
        path: "../wit/v0.1.0",
        inline: "
            package hookloom:sdk;
            world lifecycle-export {
                import hookloom:plugin/log@0.1.0;
                import hookloom:plugin/clock@0.1.0;
                import hookloom:plugin/random@0.1.0;
                import hookloom:plugin/metrics@0.1.0;
                export hookloom:plugin/lifecycle@0.1.0;
            }
        ",
        with: {
            "hookloom:plugin/lifecycle@0.1.0/metadata": crate::Metadata,
            "hookloom:plugin/log@0.1.0/level": crate::log::Level,
            "hookloom:plugin/log@0.1.0/field": crate::log::Field,
        },
        generate_all,
        export_macro_name: "export_lifecycle",
        pub_export_macro: true,
        default_bindings_module: "hookloom_sdk::__private::bindings::lifecycle",
    });
}

/// The export `filter`.
pub mod filter {
    wit_bindgen::generate!({
        path: "../wit/v0.1.0",
        inline: "
            package hookloom:sdk;
            world filter-export { export hookloom:plugin/filter@0.1.0; }
        ",
        with: {
            "hookloom:plugin/types@0.1.0/header": crate::Header,
            "hookloom:plugin/types@0.1.0/attribute": crate::Attribute,
            "hookloom:plugin/types@0.1.0/event": crate::Event,
            "hookloom:plugin/types@0.1.0/error": crate::Error,
            "hookloom:plugin/filter@0.1.0/verdict": crate::Verdict,
        },
        generate_all,
        export_macro_name: "export_filter",
        pub_export_macro: true,
        default_bindings_module: "hookloom_sdk::__private::bindings::filter",
    });
}

/// The export `transform`.
pub mod transform {
    wit_bindgen::generate!({
        path: "../wit/v0.1.0",
        inline: "
            package hookloom:sdk;
            world transform-export { export hookloom:plugin/transform@0.1.0; }
        ",
        with: {
            "hookloom:plugin/types@0.1.0/header": crate::Header,
            "hookloom:plugin/types@0.1.0/attribute": crate::Attribute,
            "hookloom:plugin/types@0.1.0/event": crate::Event,
            "hookloom:plugin/types@0.1.0/message": crate::Message,
            "hookloom:plugin/types@0.1.0/error": crate::Error,
            "hookloom:plugin/transform@0.1.0/outcome": crate::Outcome,
        },
        generate_all,
        export_macro_name: "export_transform",
        pub_export_macro: true,
        default_bindings_module: "hookloom_sdk::__private::bindings::transform",
    });
}
