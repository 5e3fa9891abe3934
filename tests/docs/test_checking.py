"""docs/policies.md, "Checking files": its hook, its workflow and its commands run, and see what is wrong."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.commands import failoverctl
from support.manual import MANUAL, POLICIES, blocks

SECTION = MANUAL.read_text().partition("\n## Checking files\n")[2].partition("\n## ")[0]


def of_repository() -> list[str]:
    """What the hook and the workflow run."""
    (hook,), (workflow,) = (blocks(kind, SECTION) for kind in ("pre-commit", "workflow"))
    (repository,) = YAML(typ="safe").load(hook)["repos"]
    steps = YAML(typ="safe").load(workflow)["jobs"]["policies"]["steps"]
    said = [*(each["entry"] for each in repository["hooks"]), *(step.get("run", "") for step in steps)]
    return [command for command in said if command.startswith("failoverctl ")]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policies").mkdir()
    for path in POLICIES.glob("*.yaml"):
        shutil.copy(path, tmp_path / "policies")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAILOVERD_CONFIG", raising=False)
    return tmp_path


@pytest.mark.parametrize("command", of_repository())
def test_what_a_repository_runs_passes_what_is_sound_and_nothing_else(repository: Path, command: str) -> None:
    words = shlex.split(command)[1:]
    told = failoverctl(*words)
    assert told.code == 0, told.said
    (repository / "policies" / "wrong.yaml").write_text("version: 1\n")
    assert failoverctl(*words).code == 1


def test_there_is_a_hook_and_a_workflow() -> None:
    assert len(of_repository()) == 2


def test_the_hook_sees_every_file_that_is_read() -> None:
    (hook,) = blocks("pre-commit", SECTION)
    (repository,) = YAML(typ="safe").load(hook)["repos"]
    pattern = repository["hooks"][0]["files"]
    assert all(re.search(pattern, f"policies/{name}") for name in ("a.yaml", "b.yml", "regions.yaml"))


def test_the_json_has_the_keys_that_the_page_names(repository: Path) -> None:
    (repository / "policies" / "wrong.yaml").write_text("version: 1\n")
    told = json.loads(failoverctl("check", "policies", "--output", "json").out)
    named = re.findall(r"`(\w+)`", SECTION.partition("prints one object:")[2].partition("\n\n")[0])
    assert named == [*told, *(key for key in told["diagnostics"][0])]
