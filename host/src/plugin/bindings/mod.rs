//! Generated host bindings, one module for each version of the contract that is served.

pub(super) mod v0_1_0;
