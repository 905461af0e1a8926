//! The contract `hookloom:plugin@0.1.0`.
//!
//! One world that exports everything, because what is used of it are the accessors
//! of the single interfaces: a component is asked for those that it has.

wasmtime::component::bindgen!({
    path: "../wit/v0.1.0",
    inline: "package hookloom:host;
        world everything {
            include hookloom:plugin/filter-plugin@0.1.0;
            include hookloom:plugin/transform-plugin@0.1.0;
            include hookloom:plugin/verify-plugin@0.1.0;
            include hookloom:plugin/classify-plugin@0.1.0;
        }",
    world: "hookloom:host/everything",
    imports: { default: trappable },
    ownership: Borrowing { duplicate_if_necessary: true },
});
