//! The `hookloom` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookloom::cli::main()
}
