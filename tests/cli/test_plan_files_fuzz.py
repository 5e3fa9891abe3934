"""A plan file may be any file, and may say anything: it is read with bounds, and no wrong answer is written for it."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from support.fuzzing import SOAK
from support.sessions import AZURE6, Desk, both_types
from support.stage import AZURE

from failoverd.api.planned import attempt_told
from failoverd.cli.options import Exit, Output
from failoverd.cli.verbs import MOST_BYTES, _read_plans, _write_plans, apply
from failoverd.codec import dump
from failoverd.core.errors import ConfigError, FailoverdError
from failoverd.operations.planning import MOST_CHARACTERS, PLAN_VERSION, PlanFile, PlannedChange

BOTH = both_types()


def read(content: bytes) -> tuple[PlannedChange, ...]:
    """As from a file."""
    descriptor = os.memfd_create("change.plan")
    try:
        os.write(descriptor, content)
        return _read_plans(Path(f"/proc/self/fd/{descriptor}"))
    finally:
        os.close(descriptor)


def unreadable(file: Path) -> str:
    with pytest.raises(ConfigError) as found:
        _read_plans(file)
    assert found.value.reason in {"plan_unreadable", "plan_version"}
    assert len(found.value.detail) < 500
    return found.value.detail


async def honest(desk: Desk | None = None) -> tuple[Desk, list[PlannedChange]]:
    """A region died under a name with two types, and what is planned for it."""
    desk = desk or Desk(BOTH)
    await desk.settled()
    desk.fails(AZURE, AZURE6)
    return desk, await desk.planned()


# -- any file ----------------------------------------------------------------------------------------------------------


def fifo(file: Path) -> None:
    os.mkfifo(file)


def endless(file: Path) -> None:
    file.symlink_to("/dev/zero")


def huge(file: Path) -> None:
    with file.open("wb") as out:
        out.truncate(MOST_BYTES + 1)


def deep(file: Path) -> None:
    file.write_text("[" * 100_000)


def saying(**changes: object) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_text(json.dumps({"version": PLAN_VERSION, "made_at": 0, "made_by": "x", "changes": []} | changes))

    return write


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda _: None, "No such file"),
    "a directory": (Path.mkdir, "not a regular file"),
    "a pipe that nobody writes to": (fifo, "not a regular file"),
    "zeros without end": (endless, "not a regular file"),
    "more than a plan ever holds": (huge, "larger than"),
    "brackets without end": (deep, "something else"),
    "no text": (lambda file: file.write_bytes(b"\xff\xfe"), "something else"),
    "a list": (lambda file: file.write_text("[]"), "something else"),
    "a version of many digits": (saying(version=10**4_000), "is a plan of version"),
    "a version that is a text": (saying(version="x" * 100_000), "is a plan of version"),
    "somebody with a name of a megabyte": (saying(made_by="x" * (1 << 20)), f"longer than {MOST_CHARACTERS}"),
    "a key of a megabyte": (saying(**{"x" * (1 << 20): 1}), f"longer than {MOST_CHARACTERS}"),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_is_no_plan_is_told_at_once_and_in_a_line(kind: str, tmp_path: Path) -> None:
    make, words = FILES[kind]
    make(tmp_path / "change.plan")
    assert words in unreadable(tmp_path / "change.plan")


async def test_an_id_of_a_megabyte_is_not_read(tmp_path: Path) -> None:
    _, (change, _) = await honest()
    forged = replace(change, plan=replace(change.plan, id="x" * (1 << 20)))
    _write_plans(tmp_path / "change.plan", (forged,))
    assert f"longer than {MOST_CHARACTERS}" in unreadable(tmp_path / "change.plan")


async def test_what_plan_writes_is_what_apply_reads(tmp_path: Path) -> None:
    _, changes = await honest()
    _write_plans(tmp_path / "change.plan", tuple(changes))
    assert list(_read_plans(tmp_path / "change.plan")) == changes


def test_more_than_apply_reads_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failoverd.cli.verbs.MOST_BYTES", 20)
    with pytest.raises(FailoverdError, match="name fewer policies at a time"):
        _write_plans(tmp_path / "change.plan", ())
    assert list(tmp_path.iterdir()) == []


# -- any content -------------------------------------------------------------------------------------------------------

EXAMPLES: Final = 50 * SOAK
"""Plan files in every run of the tests, and more with FAILOVERD_SOAK."""

_TEXTS: Final = ("", "x", "\x1b[2J", AZURE, "oci", "api", "A", "AAAA", "restore", "adopt", "tests", "prod", "9" * 4_096)
_NUMBERS: Final = (-1, 0, 1, 2, 10_000, 10**17, 10**400, 0.5, 1e308)

scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(_TEXTS), st.sampled_from(_NUMBERS))
wild = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_TEXTS), inner)
)


def alike(value: object) -> st.SearchStrategy[Any]:
    """Something that may stand in its place: the rest of the file still reads."""
    match value:
        case str():
            return st.sampled_from(_TEXTS)
        case bool() | None:
            return wild
        case int() | float():
            return st.one_of(st.sampled_from((value + 1, value - 1)), st.sampled_from(_NUMBERS))
        case list():
            return st.lists(st.sampled_from(value), max_size=3) if value else st.just([])
        case dict():
            return st.lists(st.sampled_from(list(value) or [""])).map(
                lambda kept: {key: value.get(key) for key in kept}
            )
    raise AssertionError(value)


def places(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something can be changed."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in places(each, (*at, key)))]


def changed(value: Any, at: tuple[Any, ...], new: object) -> Any:  # noqa: ANN401 - JSON
    if not at:
        return new
    found = dict(value) if isinstance(value, dict) else list(value)
    found[at[0]] = changed(found[at[0]], at[1:], new)
    return found


def found_at(value: Any, at: tuple[Any, ...]) -> Any:  # noqa: ANN401 - JSON
    for step in at:
        value = value[step]
    return value


@st.composite
def edited(draw: st.DrawFn, said: dict[str, Any]) -> dict[str, Any]:
    """A plan file that somebody wrote something into, a few times."""
    for _ in range(draw(st.integers(1, 3))):
        spots = places(said["changes"], ("changes",))
        leaves = [at for at in spots if not isinstance(found_at(said, at), dict | list)] or spots
        at = draw(st.sampled_from(draw(st.sampled_from((leaves, leaves, spots)))))
        new = draw(wild if draw(st.integers(0, 9)) == 0 else alike(found_at(said, at)))
        said = changed(said, at, new)
    return said


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
async def test_whatever_is_written_into_a_plan_file_only_what_failoverd_plans_is_written(data: st.DataObject) -> None:
    desk, changes = await honest()
    said = data.draw(edited(json.loads(dump(PlanFile(PLAN_VERSION, 0.0, "x", tuple(changes))))))
    planned = {each.plan.target: each.plan for each in changes}
    before = len(desk.zonefile.writes)
    try:
        forged = read(json.dumps(said).encode())
    except ConfigError:
        event("not read")
        return
    attempts = await desk.apply(*forged)
    assert len(attempts) == len(forged)
    for attempt in attempts:
        event(attempt.result.reason if isinstance(attempt.result, FailoverdError) else type(attempt.result).__name__)
        assert attempt_told(attempt).summary
        assert not isinstance(attempt.result, FailoverdError) or attempt.result.reason != "internal_error"
    written = desk.zonefile.writes[before:]
    assert len(written) == sum(attempt.result is None for attempt in attempts)
    for write in written:
        plan = planned[write.target]
        assert (write.records, write.marker.owner, write.marker.policy) == (plan.after, "prod", "api")
        assert write.marker.generation <= plan.generation + 1


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(st.one_of(st.binary(max_size=300), scalars.map(lambda value: json.dumps(value).encode())))
def test_noise_is_no_plan(content: bytes) -> None:
    with pytest.raises(ConfigError):
        read(content)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"version": 3, "changes": ['])
def test_what_is_no_plan_is_said_to_be_none_and_to_have_changed_nothing(content: bytes) -> None:
    with pytest.raises(ConfigError) as found:
        read(content)
    assert "is not a plan: it " in found.value.detail
    assert found.value.detail.endswith("; nothing was changed")
    assert found.value.remedy == "make the plan again: failoverctl plan --out FILE"


def test_a_plan_that_is_not_there_is_not_said_to_be_something_else(tmp_path: Path) -> None:
    assert unreadable(tmp_path / "move.plan").endswith(
        "move.plan cannot be read: No such file or directory; nothing was changed"
    )


def test_a_plan_without_a_change_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Silence looks the same as a change that was made."""
    file = tmp_path / "move.plan"
    file.write_text(dump(PlanFile(PLAN_VERSION, 0.0, "alice", ())))
    assert apply(tmp_path / "failoverd.yaml", Output.TEXT, file) is Exit.FINE
    assert f"there is no change in {file}, so nothing was done" in capsys.readouterr().err
