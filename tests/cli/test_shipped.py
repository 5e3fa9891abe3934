"""What comes with failoverd besides the programs can be found, read, and put where it belongs."""

import json
from pathlib import Path

import pytest
from support.commands import failoverctl

from failoverd.cli import shipped

ROOT = Path(__file__).parents[2]


def test_every_file_is_listed_with_its_place() -> None:
    told = failoverctl("files")
    assert told.code == 0
    assert "systemd/failoverd.service\n    -> /etc/systemd/system/failoverd.service\n" in told.said
    assert max(map(len, told.said.splitlines()[1:])) <= 80
    for path in (ROOT / "systemd").iterdir():
        assert f"systemd/{path.name}\n    -> " in told.said, "it has no place"


def test_one_of_them_is_printed_as_it_is() -> None:
    told = failoverctl("files", "failoverd.service")
    assert (told.code, told.out) == (0, (ROOT / "systemd" / "failoverd.service").read_bytes())
    assert failoverctl("files", "systemd/failoverd.yaml").out == (ROOT / "systemd" / "failoverd.yaml").read_bytes()
    inventory = (ROOT / "policies" / "regions.yaml").read_bytes()
    assert failoverctl("files", "policies/regions.yaml").out == inventory, "an example's name ends so, too"
    assert failoverctl("files", "_failoverctl").said.startswith("#compdef failoverctl\n")


def test_programs_are_told_the_same() -> None:
    told = failoverctl("files", "--output", "json")
    found = {each["name"]: each for each in json.loads(told.out)}
    assert found["share/man/man8/failoverd.8"]["belongs"] == "/usr/local/share/man/man8/failoverd.8"
    assert found["examples/several-clouds/failoverd.yaml"]["belongs"] == ""
    assert all(Path(each["path"]).is_file() for each in found.values())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("failoverd.servcie", "there is no file 'failoverd.servcie'; did you mean \"failoverd.service\"?"),
        ("failoverd.yaml", "'failoverd.yaml' may be systemd/failoverd.yaml or examples/several-clouds/failoverd.yaml"),
        ("../pyproject.toml", "there is no file '../pyproject.toml'"),
    ],
)
def test_a_name_that_is_none_or_two_is_refused(name: str, said: str) -> None:
    told = failoverctl("files", name)
    assert (told.code, said in told.said) == (2, True), told.said


def test_an_installed_package_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shipped" / "systemd").mkdir(parents=True)
    (tmp_path / "shipped" / "systemd" / "failoverd.service").write_text("[Unit]\n")
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path)
    assert failoverctl("files", "failoverd.service").out == b"[Unit]\n"


def test_the_version_is_told() -> None:
    told = failoverctl("--version")
    assert (told.code, told.said) == (0, "failoverctl 0.1.0\n")
