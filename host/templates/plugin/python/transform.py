"""{{description}}."""

from typing import Any

from hookloom import Event, Message, Outcome, drop, log, replace, settings, unchanged

USUAL = {"keep": ["action", "issue", "pull_request", "sender"]}
config = USUAL


def configure(given: Any) -> None:
    """Takes the `config` of the step in hookloom.toml: `{ {{example}} }`. What it raises
    refuses it."""
    global config
    config = settings(given, USUAL)


def transform(event: Event) -> Outcome:
    body = event.json()
    kept = {key: value for key, value in body.items() if key in config["keep"]}
    if len(kept) == len(body):
        return unchanged()
    if not kept:
        return drop("nothing of it is kept")
    log("debug", "slimmed", source=event.source, kept=len(kept), before=len(body))
    return replace(Message.json(kept))
