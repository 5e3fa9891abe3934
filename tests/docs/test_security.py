"""docs/security.md keeps its word: claims name tests that are there, and the permissions are those that are tried."""

import json
import re
import socket
from pathlib import Path

import pytest
from support.commands import failoverctl

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
PERMISSIONS = ROOT / "docs" / "permissions"
BLOCKS: dict[str, str] = dict(re.findall(r"^```\w+ ([\w.]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))

HOSTILE = """\
version: 1
policy: shop
records:
  - {{name: shop.example.test, type: A, ttl: 5s, providers: [local]}}
regions:
  west: {{share: 50, endpoints: ["127.0.0.1:{port}"]}}
  east: {{share: 50, endpoints: ["127.0.0.2:{port}"]}}
checks:
  runs: {{exec: [/bin/sh, -c, "echo it ran > {witness}"], timeout: 1s}}
  sends: {{http: /, authorization_file: {secret}, timeout: 1s}}
"""
"""What an author who means ill would write: a program to run, and a secret to send to a server of theirs."""


def rows() -> list[list[str]]:
    """The rows of the tables of threats: the threat, its answer, the tests."""
    threats = PAGE.partition("\n## Threats")[2].partition("\n## ")[0]
    table = [line.strip("|").split(" | ") for line in threats.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in table if row[0].strip() != "threat"]


def test_every_threat_has_an_answer_and_tests_that_show_it() -> None:
    assert len(rows()) > 25
    assert [row for row in rows() if len(row) != 3 or not re.fullmatch(r"`test_\w+`(, `test_\w+`)*", row[2])] == []


def test_every_test_that_is_named_is_there() -> None:
    sources = " ".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", sources))
    assert set(re.findall(r"`(test_\w+)`", PAGE)) - there == set()


@pytest.mark.parametrize("path", sorted(PERMISSIONS.iterdir()), ids=lambda path: path.name)
def test_the_permissions_that_are_shown_are_those_that_are_tried(path: Path) -> None:
    shown = BLOCKS[path.name]
    if path.suffix == ".json":
        assert json.loads(shown) == json.loads(path.read_text())
        return
    comment = "//" if path.name == "rfc2136.bind.conf" else "#"
    said = [line for line in path.read_text().splitlines() if line and not line.startswith(comment)]
    assert [line for line in shown.splitlines() if line] == said


def test_nothing_else_is_shown_as_permissions() -> None:
    assert set(BLOCKS) == {path.name for path in PERMISSIONS.iterdir()}


def test_check_of_a_hostile_policy_starts_nothing_and_connects_nowhere(tmp_path: Path) -> None:
    witness, secret = tmp_path / "witness", tmp_path / "secret"
    secret.write_text("canary-of-a-secret\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "policies").mkdir()
        inventory = "version: 1\nregions: {west: {cloud: azure}, east: {cloud: oci}}\n"
        (tmp_path / "policies" / "regions.yaml").write_text(inventory)
        text = HOSTILE.format(port=server.getsockname()[1], witness=witness, secret=secret)
        (tmp_path / "policies" / "shop.yaml").write_text(text)
        done = failoverctl("check", tmp_path / "policies")
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert (done.code, done.said.startswith("fine: 1 policy")) == (0, True), done.said
    assert not witness.exists()
    assert "canary" not in done.said
