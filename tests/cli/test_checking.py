"""`failoverctl check` shows what stands in files, and a terminal obeys none of it."""

import logging
from pathlib import Path

import pytest
from support.files import INVENTORY

from failoverd.cli.checking import check_everything
from failoverd.cli.options import Output, hush_libraries

CONFIG = """\
version: 1
owner: tests
policies: policies
journal: journal.db
providers:
  main: {kind: embedded, zones: [example.com], listen: "127.0.0.1:0"}
"""

EVIL = r'"\e[2J\e]0;owned\a\x9b1m\u202e"'

POLICIES = {
    "a name": f"version: 1\npolicy: {EVIL}\n",
    "a key": f"version: 1\n{EVIL}: 1\n",
    "a region": f"version: 1\npolicy: api\nregions: {{{EVIL}: {{share: 1}}}}\n",
    "a check": f"version: 1\npolicy: api\nchecks: {{live: {{http: {EVIL}, pattern: {EVIL}}}}}\n",
    "a record": f"version: 1\npolicy: api\nrecords: [{{name: {EVIL}, type: {EVIL}, ttl: {EVIL}}}]\n",
    "no YAML": 'version: 1\n"\x1b[2J": {{\n',
}


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize("text", POLICIES.values(), ids=POLICIES)
def test_what_a_file_holds_is_shown_and_not_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, output: Output
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "failoverd.yaml").write_text(CONFIG)
    (tmp_path / "policies" / "regions.yaml").write_text(INVENTORY)
    (tmp_path / "policies" / "a\x1b[2J.yaml").write_text(text)
    assert check_everything(tmp_path / "failoverd.yaml", output)
    printed = capsys.readouterr().out
    assert "FD" in printed
    assert printed.replace("\n", "").isprintable(), printed


def test_without_a_log_no_library_speaks_for_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logging.getLogger("msal").error("a client_secret")
    assert "a client_secret" in capsys.readouterr().err
    hush_libraries()
    logging.getLogger("msal").error("a client_secret")
    assert capsys.readouterr().err == ""
