"""`failoverd`: what is done before the daemon is even imported."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from failoverd.cli import running
from failoverd.cli.daemon import run
from failoverd.cli.options import Exit


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


def test_without_a_configuration_it_ends_with_what_keeps_the_unit_from_starting_it_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as caught:
        run(tmp_path / "failoverd.yaml")
    assert caught.value.exit_code == Exit.UNCONFIGURED
    failed, remedy = capsys.readouterr().err.splitlines()
    assert f"there is no configuration at {tmp_path}/failoverd.yaml" in failed
    assert "failoverctl init" in remedy
    unit = (Path(__file__).parents[2] / "systemd" / "failoverd.service").read_text()
    assert f"RestartPreventExitStatus={Exit.UNCONFIGURED:d}\n" in unit
