"""The two parsers of YAML: libyaml reads what is usual, ruamel.yaml everything else, and says what is wrong.

ruamel.yaml knows YAML 1.2 and the place of every mistake, and takes some thirty times as long. libyaml knows YAML 1.1;
so it is only trusted with what both versions read alike, which is how people write: scalars on one line, without
escapes, anchors, tags and directives. `Unusual` says that a file has more in it. Nothing is ever told of a file on
libyaml's word alone: with any mistake in it, ruamel.yaml reads it again.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from ruamel.yaml import YAML
from ruamel.yaml import events as closely
from yaml import events as quickly

SCALAR: Final = (closely.ScalarEvent, quickly.ScalarEvent)
SEQUENCE: Final = (closely.SequenceStartEvent, quickly.SequenceStartEvent)
SEQUENCE_END: Final = (closely.SequenceEndEvent, quickly.SequenceEndEvent)
MAPPING: Final = (closely.MappingStartEvent, quickly.MappingStartEvent)
MAPPING_END: Final = (closely.MappingEndEvent, quickly.MappingEndEvent)
DOCUMENT: Final = (closely.DocumentStartEvent, quickly.DocumentStartEvent)
STREAM_END: Final = (closely.StreamEndEvent, quickly.StreamEndEvent)
ALIAS: Final = (closely.AliasEvent, quickly.AliasEvent)
VALUE: Final = (*SCALAR, *SEQUENCE, *MAPPING, *ALIAS)

_STRANGE: Final = re.compile("[^\n -~\u00a1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""Tabs, other line breaks, control characters: what the versions of YAML, or the parsers, treat differently."""


class Unusual(Exception):  # noqa: N818 - no error: the other parser is asked
    """The file has something in it that libyaml may understand in another way."""


def close_events(text: str) -> Iterator[Any]:
    """The events of ruamel.yaml, which raises its YAMLError for what is wrong."""
    events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
    return events


def quick_events(text: str) -> Iterator[Any]:
    """The events of libyaml.

    Raises:
        Unusual: sooner or later, when ruamel.yaml has to be asked.
    """
    if _STRANGE.search(text) or not yaml.__with_libyaml__:
        raise Unusual
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if not _usual(event, text):
                raise Unusual
            yield event
    except (yaml.YAMLError, RecursionError) as error:
        raise Unusual from error


def _usual(event: Any, text: str) -> bool:  # noqa: ANN401 - the parser's events are untyped
    match event:
        case quickly.AliasEvent():
            return False
        case quickly.NodeEvent(anchor=anchor, tag=tag) if anchor is not None or tag is not None:
            return False
        case quickly.ScalarEvent(start_mark=begin, end_mark=end, style=style):
            return _on_one_line(text, begin, end) and style not in {"|", ">"} and not _escaped(text, begin, end, style)
        case quickly.DocumentStartEvent(version=version, tags=tags):
            return version is None and not tags
        case quickly.DocumentEndEvent(explicit=explicit):
            return not explicit
    return True


def _on_one_line(text: str, begin: Any, end: Any) -> bool:  # noqa: ANN401 - the parser's marks are untyped
    """And written at all: the parsers differ over where a value that was left out would stand."""
    return bool(begin.line == end.line and begin.index < end.index <= len(text))


def _escaped(text: str, begin: Any, end: Any, style: str | None) -> bool:  # noqa: ANN401 - as above
    return style == '"' and "\\" in text[begin.index : end.index]
