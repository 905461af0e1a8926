//! Chance.

/// 64 unpredictable bits.
///
/// In native tests: the same sequence in every test.
pub fn random_u64() -> u64 {
    #[cfg(target_family = "wasm")]
    return crate::bindings::free::hookloom::plugin::random::next_u64();
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::random_u64()
}

/// So many unpredictable bytes, at most 65,536 a call; more is a trap.
///
/// In native tests: the same sequence in every test.
pub fn random_bytes(len: u32) -> Vec<u8> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::free::hookloom::plugin::random::bytes(len);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::random_bytes(len)
}
