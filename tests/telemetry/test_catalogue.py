"""The catalogue of events: all of them are in it, and what was made of it is what would be made now."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from support.commands import failoverctl
from support.journals import closed, incident
from support.schemas import Checker

from failoverd.core.events import Event
from failoverd.telemetry import catalogue
from failoverd.telemetry.logs import to_json
from failoverd.telemetry.prose import told

ROOT = Path(__file__).parents[2]
AT = 1_793_848_327.345


def of_the_code(base: type[Event] = Event) -> Iterator[type[Event]]:
    """Every event that failoverd may tell, wherever it is declared."""
    for kind in base.__subclasses__():
        if kind.__module__.startswith("failoverd.") and isinstance(vars(kind).get("name"), str):
            yield kind
        yield from of_the_code(kind)


def printed() -> dict[str, dict[str, Any]]:
    """What `failoverctl schema events` says of each kind of line."""
    return {each["title"]: each for each in json.loads(failoverctl("schema", "events").out)["anyOf"]}


def test_every_event_is_there_with_its_level_and_fields() -> None:
    said, found = printed(), list(of_the_code())
    assert len(found) > 50
    assert said.keys() == {kind.name for kind in found} | {"library.logged", "log.lost", "log.diverted"}
    for kind in found:
        properties = said[kind.name]["properties"]
        assert properties["level"]["enum"] == [kind.level.value]
        assert properties.keys() == {"level", "event", "message", *get_type_hints(kind)} - {"name"}
        assert all(each["description"] for each in properties.values())
        assert said[kind.name]["description"]


def test_an_id_of_a_message_is_that_of_one_event_alone() -> None:
    ids = [each["x-message-id"] for each in printed().values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("event", [*incident(AT), closed(AT)], ids=lambda event: event.name)
def test_a_line_is_what_the_schema_says(event: Event) -> None:
    message, facts = told(event)
    line = json.loads(to_json({"at": AT, "level": event.level.value, "event": event.name, "message": message, **facts}))
    schema = printed()[event.name]
    assert Checker(schema).complaints(line) == []
    assert Checker(schema).complaints({**line, "surprise": 1}) != []


@pytest.mark.parametrize(
    ("file", "made"),
    [("docs/events.md", catalogue.page), ("systemd/failoverd.catalog", catalogue.journal_catalog)],
    ids=["page", "journald"],
)
def test_what_is_committed_is_what_is_made(file: str, made: Callable[[], str]) -> None:
    assert (ROOT / file).read_text("utf-8") == made(), "python -m failoverd.telemetry.catalogue"


def test_the_page_has_each_event_in_a_row() -> None:
    text = catalogue.page()
    for kind in of_the_code():
        assert f"| `{kind.name}` | {kind.level.value} | " in text
