"""Events and fixtures for tests."""

import base64
import json
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Sequence
from unittest import TestCase

from hookloom import Drop, Event, Header, Message, Pass, PluginError, Replace, Split, Unchanged

NAMES = {Pass: "pass", Drop: "drop", Unchanged: "unchanged", Replace: "replace", Split: "split"}

NOW = 1_767_225_600_000
"""What the clock of `hookloom plugin test` says where a fixture does not: 2026-01-01T00:00Z."""

BODIES = ("body", "body_text", "body_base64")
# What fixtures may say; a misspelt key would be passed over.
FIXTURE = ("event", "config", "state", "secrets", "now", "expect")
EVENT = ("id", "source", "type", "method", "path", "query", "headers", *BODIES, "attributes")
# And what the gateway shows beside an event.
EVENT += ("received_at", "received_at_ms", "status", "repeats", "runs", "deliveries")
EXPECT = ("verdict", "outcome", "error", "reason", "messages", "state")
MESSAGE = (*BODIES, "headers", "removed_headers", "type", "destinations", "attributes", "suffix")

OF_THE_SANDBOX = ("trap", "timeout", "memory", "bad-output")
"""Ends of a call that only the sandbox knows."""


def event(source: str = "test", **file: Any) -> Event:
    """An event as a fixture has it: `id`, `type`, `received_at`, `method`, `path`, `query`,
    `headers`, `attributes`, and `body` (JSON), `body_text` or `body_base64`."""
    check_keys(EVENT, file, "event")
    headers = [
        Header(name.lower(), value)
        for name, values in file.get("headers", {}).items()
        for value in listed(values)
    ]
    declared = next((header.value for header in headers if header.name == "content-type"), None)
    received = file.get("received_at")
    return Event(
        id=file.get("id", "evt_test"),
        source=source,
        type=file.get("type"),
        received_at_ms=file.get("received_at_ms", NOW) if received is None else instant(received),
        method=file.get("method", "POST"),
        path=file.get("path", f"/in/{source}"),
        query=file.get("query"),
        headers=headers,
        content_type=declared or ("application/json" if "body" in file else None),
        body=read_body(file) or b"",
        attributes=file.get("attributes", {}),
    )


def listed(values: Any) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def instant(text: Any) -> int:
    """RFC 3339, or seconds since 1970; in milliseconds."""
    if isinstance(text, int):
        return text * 1000
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def read_body(file: dict[str, Any]) -> bytes | None:
    """The one of `body`, `body_text` and `body_base64` that is there."""
    given = [key for key in BODIES if key in file]
    assert len(given) < 2, f"more than one of {' and '.join(given)}"
    if "body_base64" in file:
        return base64.b64decode(file["body_base64"], validate=True)
    if "body_text" in file:
        return file["body_text"].encode()
    return json.dumps(file["body"]).encode() if given else None


def check_keys(known: Sequence[str], file: dict[str, Any], where: str) -> None:
    for key in file:
        assert key in known, f"{where}: unknown field `{key}`; known are {', '.join(known)}"


def run_fixtures(test: TestCase, folder: Path, plugin: ModuleType) -> None:
    """Runs every `*.json` of a folder on a plugin: the files that `hookloom plugin test`
    runs on the built component. What only that can decide is skipped here."""
    files = sorted(folder.glob("*.json"))
    test.assertTrue(files, f"{folder} holds no fixture (*.json)")
    for file in files:
        parsed = json.loads(file.read_text())
        test.assertNotEqual(parsed, [], f"{file.name}: an empty list: it has to hold a fixture")
        for index, fixture in enumerate(parsed if isinstance(parsed, list) else [parsed]):
            with test.subTest(f"{file.name}[{index}]" if isinstance(parsed, list) else file.name):
                check(test, fixture, plugin)


def check(test: TestCase, fixture: dict[str, Any], plugin: ModuleType) -> None:
    check_keys(FIXTURE, fixture, "fixture")
    test.assertIn("source", fixture.get("event", {}), "an `event` with a `source` is missing")
    test.assertIn("expect", fixture, "nothing is expected: write `expect`")
    expect = fixture["expect"]
    check_keys(EXPECT, expect, "expect")
    named = [expect[key] for key in ("verdict", "outcome", "error") if key in expect]
    test.assertEqual(len(named), 1, "expect has to name one of `verdict`, `outcome` and `error`")
    for expected in expect.get("messages", []):
        check_keys(MESSAGE, expected, "expect.messages")
    given = event(**fixture["event"])
    left = of_the_sandbox(fixture)
    if left:
        test.skipTest(f"`{left}` is for `hookloom plugin test`")
    if hasattr(plugin, "configure"):
        plugin.configure(fixture.get("config"))
    name, reason, messages = answer_of(plugin, given, expect)
    test.assertEqual(name, named[0], reason)
    test.assertIn(expect.get("reason", ""), reason, "reason")
    if "messages" in expect:
        test.assertEqual(len(messages), len(expect["messages"]), "messages")
        for message, expected in zip(messages, expect["messages"]):
            compare(test, message, expected, given)


def of_the_sandbox(fixture: dict[str, Any]) -> str | None:
    """What of a fixture nobody stands in for here, if it has such."""
    expect = fixture["expect"]
    asked = [key for key in ("state", "secrets", "now") if key in fixture]
    asked += ["expect.state"] if "state" in expect else []
    asked += [expect["error"]] if expect.get("error") in OF_THE_SANDBOX else []
    return asked[0] if asked else None


def answer_of(plugin: ModuleType, given: Event, expect: dict[str, Any]) -> tuple[str, str, list[Message]]:
    """Its name, its reason and the messages."""
    function = getattr(plugin, "filter", None) or plugin.transform
    try:
        answer = function(given)
    except PluginError as error:
        return error.kind, str(error), []
    except Exception as error:
        if expect.get("error") != "other":
            raise
        return "other", f"{type(error).__name__}: {error}", []
    messages: list[Message] = []
    if isinstance(answer, Replace):
        messages = [answer.message]
    elif isinstance(answer, Split):
        messages = list(answer.messages)
    return NAMES[type(answer)], answer.reason if isinstance(answer, Drop) else "", messages


def compare(test: TestCase, message: Message, expected: dict[str, Any], given: Event) -> None:
    """Only what is expected is compared."""
    body = given.body if message.body is None else message.body
    if "body" in expected:
        test.assertEqual(json.loads(body), expected["body"], "body")
    elif (exact := read_body(expected)) is not None:
        test.assertEqual(body, exact, "body")
    for name, values in expected.get("headers", {}).items():
        got = [value for other, value in message.headers.items() if other.lower() == name.lower()]
        if name.lower() == "content-type" and message.content_type is not None:
            got.append(message.content_type)
        test.assertEqual(got, listed(values), name)
    for name, value in expected.get("attributes", {}).items():
        test.assertEqual(message.attributes.get(name), value, f"attribute {name}")
    if "removed_headers" in expected:
        wanted = [name.lower() for name in expected["removed_headers"]]
        test.assertEqual([name.lower() for name in message.remove_headers], wanted, "removed_headers")
    if "destinations" in expected:
        test.assertIsNotNone(message.destinations, "destinations")
        test.assertEqual(list(message.destinations or ()), expected["destinations"], "destinations")
    for key, text in (("type", message.type), ("suffix", message.idempotency_suffix)):
        if key in expected:
            test.assertEqual(text, expected[key], key)
