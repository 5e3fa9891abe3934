"""The OpenAPI document says all that the API does: a server is held against it, and it is kept as a file."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from support.api import elsewhere, heard
from support.fuzzing import SOAK
from support.journals import apply

from failoverd.api import service
from failoverd.api.asked import NoQuery
from failoverd.api.routes import ROUTES, Route, document
from failoverd.api.sending import KEY
from failoverd.config.schema.config_file import ApiEntry

KEPT = Path(__file__).parents[2] / "docs" / "openapi.json"
SHOWN: Final = "the-token-of-who-operates"

load_all_checks()
CHECKED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "positive_data_acceptance",
        "missing_required_header",
        "unsupported_method",
    ]
)

WHATEVER_IT_SAYS = [
    each for each in CHECKED if each.__name__ not in {"negative_data_rejection", "positive_data_acceptance"}
]


def test_the_file_is_what_the_daemon_serves() -> None:
    """Make it again with `failoverctl schema api > docs/openapi.json`."""
    assert json.loads(KEPT.read_text()) == document()


@contextmanager
def serving(folder: Path, patched: pytest.MonkeyPatch) -> Iterator[str]:
    """The API in a thread of its own, as clients that block see it; gives where."""
    (folder / "tokens").write_text(f"fuzz operate {sha256(SHOWN.encode()).hexdigest()} 2099-01-01T00:00:00Z\n")
    for rates in ("_READS", "_WRITES", "_STRANGERS"):
        patched.setattr(service, rates, (1e9, 1.0))
    tcp = elsewhere(tokens_file=folder / "tokens")
    ready, ended, found = Event(), Event(), list[int]()

    async def serve() -> None:
        async with heard(folder, ApiEntry(tcp=tcp)) as here:
            await apply(here.journal, 1)
            found.append(here.api.port or 0)
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(20)
    try:
        yield f"http://127.0.0.1:{found[0]}"
    finally:
        ended.set()
        thread.join()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patched, serving(tmp_path_factory.mktemp("api"), patched) as url:
        yield url


SCHEMA = schemathesis.openapi.from_dict(document())


def can_be_wrong(route: Route) -> bool:
    return route.writes or "{" in route.path or route.query is not NoQuery


ENDING = tuple(route for route in ROUTES if not route.streams)
"""What has no end is held to its promise in test_listening.py."""


@pytest.mark.parametrize("route", ENDING, ids=lambda route: route.name)
def test_what_the_document_allows_is_answered_as_it_says(base: str, route: Route) -> None:
    hold(base, route, GenerationMode.POSITIVE)


@pytest.mark.parametrize("route", [*filter(can_be_wrong, ROUTES)], ids=lambda route: route.name)
def test_what_the_document_does_not_allow_is_refused_as_it_says(base: str, route: Route) -> None:
    hold(base, route, GenerationMode.NEGATIVE)


def hold(base: str, route: Route, mode: GenerationMode) -> None:
    operation = SCHEMA[route.path][route.method]

    @settings(max_examples=10 * SOAK, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        case: Any = data.draw(operation.as_strategy(generation_mode=mode))
        if mode is GenerationMode.POSITIVE and KEY in case.headers:
            case.headers[KEY] = uuid4().hex  # Hypothesis has few favourites, and each is a command of its own
        found = case.call(base_url=base, headers={"Authorization": f"Bearer {SHOWN}"})
        too_long = found.status_code == 413  # before anybody looks at what it says
        case.validate_response(found, checks=WHATEVER_IT_SAYS if too_long else CHECKED)

    holds()
