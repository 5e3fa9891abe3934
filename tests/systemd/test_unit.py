"""The unit file, judged by systemd's own tools; no running systemd is needed."""

import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "failoverd.service"

THRESHOLD = 11
"""Ten times the exposure that `systemd-analyze security` allows: what is left is the network and AF_UNIX, its work."""


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


def settings() -> list[str]:
    return [line for line in UNIT.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit as on a machine where failoverd is installed: its program is one that exists here."""
    text = UNIT.read_text(encoding="utf-8")
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("ExecStart=/opt/failoverd/bin/failoverd run", "ExecStart=/bin/true run"), "utf-8")
    return copy


def test_the_copy_that_is_verified_differs_in_its_program_alone(installed: Path) -> None:
    ours, copy = UNIT.read_text("utf-8").splitlines(), installed.read_text("utf-8").splitlines()
    different = [line for line, other in zip(ours, copy, strict=True) if line != other]
    assert different == ["ExecStart=/opt/failoverd/bin/failoverd run --config /etc/failoverd/failoverd.yaml"]


def test_systemd_has_nothing_to_say_about_it(installed: Path) -> None:
    verdict = analyze("verify", installed)
    assert verdict.stderr == ""
    assert verdict.returncode == 0


def test_systemd_would_say_so_if_a_setting_were_misspelt(installed: Path) -> None:
    text = installed.read_text("utf-8")
    installed.write_text(text.replace("WatchdogSec=", "WatchdogSeconds="), "utf-8")
    assert "WatchdogSeconds" in analyze("verify", installed).stderr


def test_it_may_do_little_more_than_use_the_network() -> None:
    verdict = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", UNIT)
    assert verdict.returncode == 0, verdict.stdout


def test_it_has_no_capability() -> None:
    assert "CapabilityBoundingSet=" in settings()
    assert not [line for line in settings() if line.startswith("AmbientCapabilities")]


def test_a_bad_policy_cannot_keep_it_from_starting() -> None:
    assert not [line for line in settings() if line.startswith(("ExecStartPre", "ExecCondition"))]


@pytest.mark.parametrize("line", ["Type=notify", "Restart=always", "StartLimitIntervalSec=0", "DynamicUser=yes"])
def test_it_says(line: str) -> None:
    assert line in settings()
