"""The unit file, judged by systemd's own tools; no running systemd is needed."""

import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "failoverd.service"

THRESHOLD = 12
"""Ten times the exposure that `systemd-analyze security` allows: what is left is the network and AF_UNIX, its work, and
that it sees whose processes ask it."""


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


def settings() -> list[str]:
    return [line for line in UNIT.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit as on a machine where failoverd is installed: its programs are ones that exist here."""
    text = UNIT.read_text(encoding="utf-8")
    copy = tmp_path / UNIT.name
    copy.write_text(
        text.replace("=/opt/failoverd/bin/failoverd run", "=/bin/true run").replace(
            "=/opt/failoverd/bin/failoverctl reload", "=/bin/true reload"
        ),
        "utf-8",
    )
    return copy


def test_the_copy_that_is_verified_differs_in_its_programs_alone(installed: Path) -> None:
    ours, copy = UNIT.read_text("utf-8").splitlines(), installed.read_text("utf-8").splitlines()
    different = [line for line, other in zip(ours, copy, strict=True) if line != other]
    assert different == [
        "ExecStart=/opt/failoverd/bin/failoverd run --config /etc/failoverd/failoverd.yaml",
        "ExecReload=/opt/failoverd/bin/failoverctl reload --config /etc/failoverd/failoverd.yaml",
    ]


def test_systemd_has_nothing_to_say_about_it(installed: Path) -> None:
    verdict = analyze("verify", installed)
    assert verdict.stderr == ""
    assert verdict.returncode == 0


def test_systemd_would_say_so_if_a_setting_were_misspelt(installed: Path) -> None:
    text = installed.read_text("utf-8")
    installed.write_text(text.replace("WatchdogSec=", "WatchdogSeconds="), "utf-8")
    assert "WatchdogSeconds" in analyze("verify", installed).stderr


OPERATORS = UNIT.with_name("failoverd-operators.conf")


def effective(*files: Path) -> dict[str, str]:
    """What the last line says that sets it, of keys that are set once."""
    lines = [line for file in files for line in file.read_text("utf-8").splitlines() if "=" in line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def test_systemd_has_nothing_to_say_about_the_operators_either(installed: Path) -> None:
    beside = installed.with_name(f"{installed.name}.d") / "operators.conf"
    beside.parent.mkdir()
    beside.write_text(OPERATORS.read_text("utf-8"), "utf-8")
    verdict = analyze("verify", installed)
    assert (verdict.returncode, verdict.stderr) == (0, "")
    beside.write_text(OPERATORS.read_text("utf-8").replace("Group=", "Groups="), "utf-8")
    assert "Groups" in analyze("verify", installed).stderr, "it is not looked at"


def test_a_group_of_operators_may_enter_where_the_journal_is_and_nobody_else() -> None:
    said = effective(UNIT, OPERATORS)
    assert (said["DynamicUser"], said["User"], said["Group"]) == ("no", "failoverd", "failoverd-operators")
    assert said["StateDirectoryMode"] == "0750"
    assert (said["RuntimeDirectory"], said["RuntimeDirectoryMode"]) == ("failoverd", "0755")
    for implied in ("PrivateTmp", "NoNewPrivileges", "RestrictSUIDSGID", "RemoveIPC"):
        assert said[implied] == "yes", f"{implied} came with DynamicUser=yes alone"
    assert said["ProtectSystem"] == "strict"


def test_the_user_and_the_group_are_made_by_systemd(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    snippet = UNIT.with_name("failoverd-sysusers.conf")
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", "--replace=/etc/sysusers.d/failoverd.conf", "-"],
        input=snippet.read_bytes(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = effective(OPERATORS)
    assert f"\n{said['Group']}:" in "\n" + (tmp_path / "etc" / "group").read_text()
    assert f"\n{said['User']}:" in "\n" + (tmp_path / "etc" / "passwd").read_text()


def test_it_may_do_little_more_than_use_the_network() -> None:
    verdict = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", UNIT)
    assert verdict.returncode == 0, verdict.stdout


def test_it_has_no_capability() -> None:
    assert "CapabilityBoundingSet=" in settings()
    assert not [line for line in settings() if line.startswith("AmbientCapabilities")]


def test_operators_have_names_and_a_socket_that_they_reach() -> None:
    """In a user namespace of its own, the service would see everybody but root as nobody."""
    assert not [line for line in settings() if line.startswith("PrivateUsers")]
    assert {"RuntimeDirectory=failoverd", "RuntimeDirectoryMode=0755"} <= set(settings())


def test_a_bad_policy_cannot_keep_it_from_starting() -> None:
    assert not [line for line in settings() if line.startswith(("ExecStartPre", "ExecCondition"))]


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "Restart=always",
        "RestartPreventExitStatus=78",
        "StartLimitIntervalSec=0",
        "DynamicUser=yes",
        "LimitCORE=0",
    ],
)
def test_it_says(line: str) -> None:
    assert line in settings()
