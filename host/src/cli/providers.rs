//! `hookloom providers`: which providers there are presets for, and what to know of each.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::print;
use super::table::Table;
use crate::verify::{Facts, Preset, preset, preset_names};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// One preset, explained
    name: Option<String>,
    /// The whole table as Markdown
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    match &options.name {
        Some(name) => match preset(name) {
            Some(preset) => print(&explained(name, preset)),
            None => anyhow::bail!("{}", unknown(name)),
        },
        None if options.markdown => print(&markdown()),
        None => print(&list()),
    }
    Ok(ExitCode::SUCCESS)
}

fn presets() -> impl Iterator<Item = (&'static str, &'static Preset, Facts)> {
    preset_names().filter_map(|name| preset(name).map(|preset| (name, preset, preset.facts(name))))
}

/// Names that have something in common with what was asked for.
fn unknown(name: &str) -> String {
    let wanted = name.to_lowercase();
    let near: Vec<_> = presets()
        .filter(|(own, preset, _)| {
            let title = preset.title.to_lowercase();
            own.contains(&wanted) || wanted.contains(own) || title.contains(&wanted)
        })
        .map(|(own, ..)| own)
        .collect();
    let hint = if near.is_empty() {
        "`hookloom providers` lists them; any other scheme can be spelled out under [sources.NAME.verify]"
            .to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    format!("there is no preset {name:?}; {hint}")
}

fn list() -> String {
    let mut table = Table::new(&["SCHEME", "PROVIDER", "PROOF", "BESIDE SECRETS"]);
    for (name, preset, facts) in presets() {
        table.row([name.to_owned(), preset.title.clone(), facts.proof, or_dash(&preset.needs.join(", "))]);
    }
    table.render()
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn explained(name: &str, preset: &Preset) -> String {
    let facts = preset.facts(name);
    let mut text = format!("{} ({})\n\n", preset.title, preset.docs);
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{label:<12}{value}");
        }
    };
    line("secrets", &preset.paste);
    line("beside", &preset.needs.join(", "));
    line("proof", &facts.proof);
    line("replay", &facts.replay);
    line("repeats", &facts.dedupe);
    line("type", &facts.event_type);
    line("handshake", facts.handshake.as_deref().unwrap_or_default());
    line("methods", &preset.methods.as_deref().unwrap_or_default().join(", "));
    line("answer", &reply(preset));
    line("note", preset.note.as_deref().unwrap_or_default());
    line("sure", &marks(preset));
    text + &example(name, preset)
}

/// The least that a source of it needs.
fn example(name: &str, preset: &Preset) -> String {
    let variable = name.to_uppercase().replace('-', "_");
    let mut text =
        format!("\n[sources.{name}]\nscheme = \"{name}\"\nsecrets = [\"env:{variable}_SECRET\"]\n");
    for key in &preset.needs {
        let value = if key == "public_url" {
            format!("https://hooks.example.com/in/{name}")
        } else {
            format!("env:{variable}_{}", key.to_uppercase())
        };
        let _ = writeln!(text, "{key} = \"{value}\"");
    }
    text
}

/// The answer to an accepted request, where it is not the gateway's own.
fn reply(preset: &Preset) -> String {
    preset
        .reply
        .as_ref()
        .map_or_else(String::new, |reply| format!("{} {}", reply.status, reply.body).trim_end().to_owned())
}

fn marks(preset: &Preset) -> String {
    let said = |(fact, mark): (&String, &String)| {
        let words = match mark.as_str() {
            "2" => "two readings",
            "1" => "one reading",
            _ => "unverified",
        };
        format!("{fact}: {words}")
    };
    preset.marks.iter().map(said).collect::<Vec<_>>().join(", ")
}

const HEAD: &str = "\
# Providers

Written by `hookloom providers --markdown`; `hookloom providers NAME` explains one.

A source names one of these as its `scheme`. **Replay** says what keeps a request that
somebody recorded from being sent again: a time that is signed, an id that is signed (a
repeat is then recognised for as long as the source deduplicates), or neither. **Sure**
names the facts that were not read in the provider's own words: by two readings of others,
by one, or unverified; a `-` there means that all were.

Every source answers HEAD with 200 and OPTIONS with the methods it takes, signed or not:
Trello, Mandrill and Intercom ask so whether somebody is there, and it is no event.

";

fn markdown() -> String {
    let mut text = HEAD.to_owned();
    text += "| Scheme | Provider | `secrets` | Beside | Proof | Replay | Repeats | Type | Handshake | Answer | Sure |\n";
    text += "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
    for (name, preset, facts) in presets() {
        let beside = preset.needs.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let cells = [
            format!("`{name}`"),
            format!("[{}]({})", preset.title, preset.docs),
            preset.paste.clone(),
            beside,
            facts.proof,
            facts.replay,
            facts.dedupe,
            facts.event_type,
            facts.handshake.unwrap_or_default(),
            reply(preset),
            marks(preset),
        ];
        let cells: Vec<_> = cells.iter().map(|cell| cell_of(cell)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let remark =
        |(name, preset, _): (&str, &Preset, Facts)| Some(format!("- `{name}`: {}\n", preset.note.as_ref()?));
    let notes: String = presets().filter_map(remark).collect();
    if notes.is_empty() { text } else { format!("{text}\n## Notes\n\n{notes}") }
}

/// In one line, without what would end the cell.
fn cell_of(text: &str) -> String {
    or_dash(&text.replace('|', "\\|").replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_offered() {
        for (name, expected) in [
            ("git", "did you mean github"),
            ("Stripe", "did you mean stripe?"),
            ("nobody", "`hookloom providers` lists them"),
        ] {
            assert!(unknown(name).contains(expected), "{}", unknown(name));
        }
    }

    #[test]
    fn every_preset_is_explained_with_a_source_that_names_it() {
        for (name, preset, _) in presets() {
            let text = explained(name, preset);
            assert!(text.contains(&preset.paste) && text.contains(&format!("scheme = \"{name}\"")), "{text}");
            let (_, example) = text.split_once("\n[sources.").unwrap();
            assert!(toml::from_str::<toml::Table>(&format!("[sources.{example}")).is_ok(), "{example}");
        }
    }

    #[test]
    fn cells_stay_cells() {
        assert_eq!(cell_of("a|b\nc"), "a\\|b c");
        assert_eq!(cell_of(""), "-");
    }
}
