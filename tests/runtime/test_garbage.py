"""The collector of cycles looks once through what lasts, and again when much of it may be left behind."""

import gc

import pytest

from failoverd.core.events import PolicyLoaded, PolicyRemoved
from failoverd.runtime import garbage
from failoverd.runtime.garbage import MANY, Garbage


@pytest.fixture
def aside(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done with what is old: nothing of this process is really put aside, for the other tests' sake."""
    done: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: done.append("freeze"))
    monkeypatch.setattr(gc, "unfreeze", lambda: done.append("unfreeze"))
    return done


def loaded(name: str) -> PolicyLoaded:
    return PolicyLoaded(at=0.0, policy=name, revision="1", file=f"{name}.yaml")


def test_what_a_long_look_left_alone_is_put_aside(aside: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LONG", -1.0)  # any look is long
    with Garbage():
        gc.collect(1)
        assert aside == []  # what is young may go by itself
        gc.collect()
        assert aside == ["freeze"]
    gc.collect()
    assert aside == ["freeze", "unfreeze"]  # nothing is left behind in the process


def test_a_short_look_may_be_taken_again(aside: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LONG", 60.0)
    with Garbage():
        gc.collect()
        assert aside == []


def test_once_many_policies_were_replaced_everything_is_looked_through_again(aside: list[str]) -> None:
    kept = Garbage()
    for number in range(1_000):
        kept.take(loaded(f"p{number}"))
    assert aside == []  # a start leaves nothing behind
    for number in range(MANY // 2):
        kept.take(loaded(f"p{number}"))
    for number in range(MANY // 2 - 1):
        kept.take(PolicyRemoved(at=0.0, policy=f"p{number}"))
    assert aside == []
    kept.take(PolicyRemoved(at=0.0, policy="p999"))
    assert aside == ["unfreeze"]
    kept.take(loaded("p999"))
    assert aside == ["unfreeze"]
