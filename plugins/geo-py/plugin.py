"""Drops events of countries that are not wanted, by the header in which a CDN says where a
request came from, or by a key of the body."""

from typing import Any

from hookloom import Event, InvalidInput, Verdict, drop, pass_, settings

CONFIG_SCHEMA = {
    "type": "object",
    "properties": {
        "allow": {"type": "array", "items": {"type": "string"}},
        "header": {"type": "string"},
        "key": {"type": "string"},
    },
    "additionalProperties": False,
}

GROUPS = {
    "EU": "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split(),
    "EEA": "IS LI NO".split(),
    "NORDIC": "DK FI IS NO SE".split(),
}
GROUPS["EEA"] += GROUPS["EU"]

USUAL = {"allow": ["EU"], "header": "cf-ipcountry", "key": ""}
config = USUAL
allowed = frozenset(GROUPS["EU"])


def configure(given: Any) -> None:
    """`allow` has ISO 3166 codes of two letters, and names of groups. `key` names the
    body's, `address.country` say; without it, `header` tells."""
    global config, allowed
    config = settings(given, USUAL)
    codes: set[str] = set()
    for name in config["allow"]:
        wanted = name.upper()
        if wanted not in GROUPS and not (len(wanted) == 2 and wanted.isalpha()):
            raise ValueError(f"`{name}` is neither a country of two letters nor one of {', '.join(GROUPS)}")
        codes.update(GROUPS.get(wanted, [wanted]))
    allowed = frozenset(codes)


def filter(event: Event) -> Verdict:
    country = of_body(event.json(), config["key"]) if config["key"] else event.header(config["header"])
    if country is None:
        raise InvalidInput(f"no country in {config['key'] or config['header']}")
    if country.upper() in allowed:
        return pass_()
    return drop(f"{country.upper()} is not allowed")


def of_body(body: Any, key: str) -> str | None:
    for name in key.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body if isinstance(body, str) else None
