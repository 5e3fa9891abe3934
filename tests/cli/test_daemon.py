"""`failoverd`: what is done before the daemon is even imported."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from failoverd.cli import running
from failoverd.cli.daemon import run


@pytest.fixture(autouse=True)
def _hang_up_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_reload_that_comes_too_early_does_not_kill_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []
    monkeypatch.setattr(running, "run_daemon", lambda _: seen.append(signal.getsignal(signal.SIGHUP)))
    run(tmp_path / "failoverd.yaml")
    assert seen == [signal.SIG_IGN]
