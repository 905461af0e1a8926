//! What becomes of each hostile guest: the limit it meets, the verdict, the reason, and the
//! time until it was cut. `cargo bench --bench hostile -- TEXT` meets only those whose name
//! has that text.
#![expect(clippy::print_stdout, reason = "the table is what it is run for")]

use std::path::Path;
use std::process::ExitCode;

use hookloom_testkit::hostile::cases::cases;
use hookloom_testkit::hostile::room::Room;
use hookloom_testkit::measure::memory;

/// How much of a reason is shown, in characters.
const SHOWN: usize = 90;

/// Whether the command line asks for it.
fn wanted(name: &str) -> bool {
    // Cargo adds an option of its own.
    let mut texts = std::env::args().skip(1).filter(|text| !text.starts_with('-')).peekable();
    texts.peek().is_none() || texts.any(|text| name.contains(&text))
}

fn main() -> ExitCode {
    let mut room = Room::open(Path::new(env!("CARGO_BIN_EXE_hookloom")));
    let mut as_expected = true;
    println!("| limit | guest | verdict | reason | time until cut |\n| --- | --- | --- | --- | --- |");
    for case in cases().into_iter().filter(|case| wanted(&case.guest.name())) {
        let outcome = room.meet(&case);
        let verdict = outcome.verdict.map_or("refused", |verdict| verdict.as_str());
        let reason: String = outcome.reason.chars().take(SHOWN).collect();
        println!("| {} | {} | {verdict} | {reason} | {:.1?} |", case.limit, case.guest.name(), outcome.took);
        as_expected &= outcome.verdict == case.verdict && outcome.reason.contains(case.reason);
    }
    match memory(std::process::id()) {
        Ok(used) => println!("\nresident {:.0} MiB, at most {:.0} MiB", used.resident, used.most),
        Err(error) => println!("\nno figure of memory: {error}"),
    }
    println!("{}", if as_expected { "all as expected" } else { "NOT all as expected" });
    if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
