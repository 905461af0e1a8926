"""{{description}}."""

from typing import Any

from hookloom import Event, Verdict, drop, log, pass_, settings

config = {"ignore": []}


def configure(given: Any) -> None:
    """Takes the `config` of the step in hookloom.toml: `{ {{example}} }`. What it raises
    refuses it."""
    global config
    config = settings(given, {"ignore": []})


def filter(event: Event) -> Verdict:
    action = event.json().get("action")
    if action in config["ignore"]:
        return drop(f"{action} is ignored")
    log("debug", "passed", source=event.source, action=action)
    return pass_()
