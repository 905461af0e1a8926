//! What the SDK carries of the contract is what the generator makes of `wit/`.
//!
//! It is kept rather than generated in each build, because the generator was most of what
//! a plugin's author waited for. After a change of the contract or of the generator:
//!
//! ```sh
//! cargo run -p hookloom-test-bindings
//! ```

use std::fs;
use std::path::{Path, PathBuf};

/// Each file of bindings, as the build script has just generated it.
const GENERATED: [(&str, &str); 7] = [
    ("free.rs", include_str!(concat!(env!("OUT_DIR"), "/free.rs"))),
    ("granted.rs", include_str!(concat!(env!("OUT_DIR"), "/granted.rs"))),
    ("lifecycle.rs", include_str!(concat!(env!("OUT_DIR"), "/lifecycle.rs"))),
    ("filter.rs", include_str!(concat!(env!("OUT_DIR"), "/filter.rs"))),
    ("transform.rs", include_str!(concat!(env!("OUT_DIR"), "/transform.rs"))),
    ("verify.rs", include_str!(concat!(env!("OUT_DIR"), "/verify.rs"))),
    ("classify.rs", include_str!(concat!(env!("OUT_DIR"), "/classify.rs"))),
];

fn kept(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-sdk/src/bindings").join(file)
}

fn main() -> std::io::Result<()> {
    GENERATED.into_iter().try_for_each(|(file, generated)| fs::write(kept(file), generated))
}

#[test]
fn the_sdk_carries_what_the_contract_says() {
    for (file, generated) in GENERATED {
        let kept = fs::read_to_string(kept(file)).unwrap_or_default();
        assert!(
            kept == generated,
            "plugin-sdk/src/bindings/{file} is not what wit/ says\n    \
             help: `cargo run -p hookloom-test-bindings` writes it anew"
        );
    }
}
