"""The exports of the component, made of a plugin's functions."""

import json
import traceback

import hookloom
from componentize_py_types import Err
from hookloom import Drop, Event, Header, Message, Pass, PluginError, Replace, Split
from wit_world import exports
from wit_world.exports.lifecycle import Metadata
from wit_world.imports import types

ERRORS = {
    "invalid-input": types.Error_InvalidInput,
    "misconfigured": types.Error_Misconfigured,
    "retry": types.Error_Retry,
    "other": types.Error_Other,
}


def lifecycle(plugin, about, imports):
    """`about` has the name, version and description of pyproject.toml; `imports` are the
    modules of what world.wit imports."""
    hookloom.host.update(imports)
    schema = getattr(plugin, "CONFIG_SCHEMA", None)
    metadata = Metadata(
        **about,
        needs_body=getattr(plugin, "NEEDS_BODY", True),
        header_names=getattr(plugin, "HEADERS", None),
        config_schema=None if schema is None else json.dumps(schema),
    )

    class Lifecycle(exports.Lifecycle):
        def describe(self):
            return metadata

        def configure(self, config):
            try:
                if hasattr(plugin, "configure"):
                    plugin.configure(json.loads(config))
            except Exception as error:
                raise Err(str(error)) from error

    return Lifecycle


def filter(plugin):
    from wit_world.exports.filter import Verdict_Drop, Verdict_Pass

    class Filter(exports.Filter):
        def filter(self, event):
            match call(plugin.filter, event):
                case Pass():
                    return Verdict_Pass()
                case Drop(reason):
                    return Verdict_Drop(reason)
                case other:
                    raise Err(types.Error_Other(f"{other!r} is no verdict"))

    return Filter


def transform(plugin):
    from wit_world.exports.transform import Outcome_Drop, Outcome_Replace, Outcome_Split, Outcome_Unchanged

    class Transform(exports.Transform):
        def transform(self, event):
            match call(plugin.transform, event):
                case hookloom.Unchanged():
                    return Outcome_Unchanged()
                case Replace(message):
                    return Outcome_Replace(lower(message))
                case Split(messages):
                    return Outcome_Split([lower(message) for message in messages])
                case Drop(reason):
                    return Outcome_Drop(reason)
                case other:
                    raise Err(types.Error_Other(f"{other!r} is no outcome"))

    return Transform


def call(function, raw):
    """What is raised becomes an error of the contract; what the plugin did not mean to
    raise says where it was."""
    try:
        return function(
            Event(
                id=raw.id,
                source=raw.source,
                type=raw.event_type,
                received_at_ms=raw.received_at_ms,
                method=raw.method,
                path=raw.path,
                query=raw.query,
                headers=[Header(header.name, header.value) for header in raw.headers],
                content_type=raw.content_type,
                body=raw.body,
                attributes={attribute.name: attribute.value for attribute in raw.attributes},
            )
        )
    except PluginError as error:
        raise Err(ERRORS[error.kind](str(error))) from error
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{at.filename.rsplit('/', 1)[-1]}:{at.lineno}"
        raise Err(types.Error_Other(f"{type(error).__name__}: {error} ({where})")) from error


def lower(message: Message):
    """A message as the contract has it."""
    return types.Message(
        body=message.body,
        content_type=message.content_type,
        set_headers=[types.Header(name, value) for name, value in message.headers.items()],
        remove_headers=list(message.remove_headers),
        event_type=message.type,
        destinations=None if message.destinations is None else list(message.destinations),
        attributes=[types.Attribute(name, value) for name, value in message.attributes.items()],
        idempotency_suffix=message.idempotency_suffix,
    )
