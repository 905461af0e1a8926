//! The time.

/// The wall clock, in milliseconds since 1970-01-01T00:00Z.
///
/// In native tests it stands at [`testing::NOW_MS`](../hookloom_sdk/testing/constant.NOW_MS.html)
/// until the test moves it.
pub fn now_ms() -> u64 {
    #[cfg(target_family = "wasm")]
    return crate::bindings::free::hookloom::plugin::clock::now_ms();
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::now_ms()
}

/// Nanoseconds since an arbitrary point; never goes back. For measuring how long
/// something took.
///
/// In native tests it begins at 0 and moves with
/// [`testing::advance`](../hookloom_sdk/testing/fn.advance.html).
pub fn monotonic_ns() -> u64 {
    #[cfg(target_family = "wasm")]
    return crate::bindings::free::hookloom::plugin::clock::monotonic_ns();
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::monotonic_ns()
}
