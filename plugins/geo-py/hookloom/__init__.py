"""What a plugin in Python is written with. It runs inside of the component, and as it is
under any Python, where tests run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence


@dataclass(frozen=True)
class Header:
    """Its name is in lower case."""

    name: str
    value: str


@dataclass(frozen=True)
class Event:
    """One received webhook."""

    id: str
    """The gateway's id, `evt_…`: a retried or replayed event keeps it."""
    source: str
    """Name of the source in hookloom.toml."""
    type: str | None
    """What the provider calls it, `issues.opened` say."""
    received_at_ms: int
    """When it was received, in milliseconds since 1970."""
    method: str
    """Upper case."""
    path: str
    """Percent-encoded, without the query."""
    query: str | None
    """What is behind `?`."""
    headers: Sequence[Header]
    """In the order in which they came."""
    content_type: str | None
    body: bytes
    """The exact bytes."""
    attributes: Mapping[str, str]

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        wanted = name.lower()
        return next((header.value for header in self.headers if header.name == wanted), None)

    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 read as U+FFFD."""
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body's JSON. What is none is an `InvalidInput`."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"the body is no JSON: {error}") from error


@dataclass(frozen=True)
class Pass:
    """See `pass_`."""


@dataclass(frozen=True)
class Drop:
    """See `drop`."""

    reason: str


@dataclass(frozen=True)
class Unchanged:
    """See `unchanged`."""


@dataclass(frozen=True)
class Message:
    """What is sent instead of the event. What is left out stays as it was."""

    body: bytes | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers to set."""
    remove_headers: Sequence[str] = ()
    type: str | None = None
    """Another name for the event."""
    destinations: Sequence[str] | None = None
    """Only these of the route's."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Facts for later steps."""
    idempotency_suffix: str | None = None
    """Tells the messages of a split apart."""

    @staticmethod
    def json(value: Any, **others: Any) -> Message:
        """With this as its body, written as JSON: `Message.json({"a": 1}, type="renamed")`."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return Message(body=text.encode(), **{"content_type": "application/json", **others})


@dataclass(frozen=True)
class Replace:
    """See `replace`."""

    message: Message


@dataclass(frozen=True)
class Split:
    """See `split`."""

    messages: Sequence[Message]


def pass_() -> Pass:
    """Lets the event through: a filter's answer."""
    return Pass()


def drop(reason: str) -> Drop:
    """Drops the event: a filter's answer, or a transform's. The reason is recorded."""
    return Drop(reason)


def unchanged() -> Unchanged:
    """Sends the event as it is: a transform's answer."""
    return Unchanged()


def replace(message: Message) -> Replace:
    """Sends something else: a transform's answer."""
    return Replace(message)


def split(messages: Sequence[Message]) -> Split:
    """Sends several messages, at most 1,000, for one event: a transform's answer. None
    drops the event."""
    return Split(tuple(messages))


Verdict = Pass | Drop
Outcome = Unchanged | Replace | Split | Drop


class PluginError(Exception):
    """Why a call has no result. Whatever else is raised is an `other`."""

    kind = "other"


class InvalidInput(PluginError):
    """The event is not what this plugin understands."""

    kind = "invalid-input"


class Misconfigured(PluginError):
    """The plugin cannot work as it is configured; its runs wait."""

    kind = "misconfigured"


class Retry(PluginError):
    """It may be otherwise on a later try."""

    kind = "retry"


def settings(config: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The step's `config` with the defaults of what it leaves out. A setting that has no
    default here, or is of another type than its default, is refused."""
    if not isinstance(config, dict | None):
        raise ValueError(f"a table is wanted, not: {config!r}")
    for name, value in (config or {}).items():
        if name not in defaults:
            raise ValueError(f"unknown setting `{name}`; there are: {', '.join(defaults)}")
        wanted = type(defaults[name])
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            raise ValueError(f"`{name}` is wanted as {wanted.__name__}, not: {value!r}")
    return {**defaults, **(config or {})}


host: dict[str, Any] = {}
"""What world.wit imports, as modules made of the contract: with
`import hookloom:plugin/kv@0.1.0` there, `host["kv"].get("key")`. Outside of a component it
is empty, and a test puts its own there."""


def log(level: str, message: str, **fields: Any) -> None:
    """A line in the gateway's log: `log("info", "seen", action=action)`. Levels are `trace`,
    `debug`, `info`, `warn` and `error`."""
    if "log" in host:
        module = host["log"]
        listed = [module.Field(name, str(value)) for name, value in fields.items()]
        module.log(module.Level[level.upper()], message, listed)
