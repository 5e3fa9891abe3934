"""The hooks and the pipelines of docs/reviewing.md: what each of them runs is run, in a repository as they find one.

What they install and whom they tell (`pip`, `gh`, `curl`) are programs that write down what they were called with.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.commands import failoverctl
from support.playing import POLICY, folder
from support.repositories import git

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reviewing.md").read_text()
HOOKS = YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")
TOLD = ("pip", "gh", "curl")
TEST = """\
version: 1
tests:
  - name: all is well
    policy: shop
    series: {azure-weu/*: "P x3"}
    at: {10s: {shares: {azure-weu: 70, oci-fra: 30}}}
"""
WRONG = POLICY.replace("share: 70", "shrae: 70")
CHANGED = POLICY.replace("demand: 800", "demand: 600")
GIVEN = {
    "GITHUB_BASE_REF": "main",
    "NUMBER": "7",
    "REVIEW_TOKEN": "not-a-secret",
    "CI_API_V4_URL": "https://gitlab.example.com/api/v4",
    "CI_PROJECT_ID": "1",
    "CI_MERGE_REQUEST_IID": "7",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA": "HEAD^1",
    "SYSTEM_ACCESSTOKEN": "not-a-secret",
    "SYSTEM_COLLECTIONURI": "https://dev.example.com/acme/",
    "SYSTEM_TEAMPROJECTID": "p",
    "BUILD_REPOSITORY_ID": "r",
    "SYSTEM_PULLREQUEST_PULLREQUESTID": "7",
}


def block(kind: str) -> Any:  # noqa: ANN401 - YAML
    (text,) = re.findall(rf"^```yaml {kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return YAML(typ="safe").load(text)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A branch that was merged into main, as a pull request is checked out: `HEAD^1` is main."""
    place = tmp_path / "repository"
    (place / "policies").mkdir(parents=True)
    folder(place / "policies", TEST)
    git(place, "init", "-q", "-b", "main")
    commit(place, "first")
    git(place, "checkout", "-q", "-b", "work")
    (place / "policies" / "shop.yaml").write_text(CHANGED)
    commit(place, "less")
    git(place, "checkout", "-q", "main")
    git(place, "merge", "-q", "--no-ff", "-m", "merge", "work")
    monkeypatch.chdir(place)
    monkeypatch.delenv("FAILOVERD_CONFIG", raising=False)
    return place


def commit(place: Path, subject: str) -> None:
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", subject)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which those who would be installed from, or told, only write down what they were called with."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in TOLD:
        (programs / name).write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@" >> "$CALLS"\n')
        (programs / name).chmod(0o755)
    return f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"


def run(script: str, place: Path, path: str) -> int:
    """As the runners do: bash that ends at the first command that fails."""
    env = {**os.environ, **GIVEN, "PATH": path, "CALLS": str(place.parent / "calls")}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=place, env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "command not found" not in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


# -- before each commit ------------------------------------------------------------------------------------------------


def hooks() -> Iterator[tuple[str, list[str]]]:
    """Those of the page, each with what pre-commit runs: the entry, and the arguments of whoever uses it."""
    known = {hook["id"]: hook for hook in HOOKS}
    for said in block("hooks")["repos"][0]["hooks"]:
        hook = {**known[said["id"]], **said}
        assert not hook["pass_filenames"]
        yield hook["id"], [*shlex.split(hook["entry"]), *hook["args"]]


def test_the_page_uses_each_hook() -> None:
    assert [name for name, _ in hooks()] == [hook["id"] for hook in HOOKS]


def test_a_hook_has_the_keys_that_pre_commit_asks_for() -> None:
    for hook in HOOKS:
        assert {"id", "name", "language", "entry"} <= hook.keys()
        assert hook["language"] == "python"
        assert hook["entry"].split()[0] == "failoverctl"


@pytest.mark.parametrize(("name", "words"), list(hooks()), ids=[name for name, _ in hooks()])
def test_what_a_hook_runs_passes_what_is_sound_and_nothing_else(repository: Path, name: str, words: list[str]) -> None:
    told = failoverctl(*words[1:])
    assert told.code == 0, (name, told.said)
    (repository / "policies" / "shop.yaml").write_text(WRONG)
    assert failoverctl(*words[1:]).code == 1


@pytest.mark.parametrize("hook", HOOKS, ids=[hook["id"] for hook in HOOKS])
def test_a_hook_runs_for_every_file_that_counts(hook: dict[str, str]) -> None:
    for name in ("policies/a.yaml", "policies/b.yml", "policies/regions.yaml", "policies/a.test.yaml"):
        assert re.search(hook["files"], name)
    assert not re.search(hook["files"], "README.md")


# -- pipelines ---------------------------------------------------------------------------------------------------------


def github() -> list[str]:
    (job,) = block("github")["jobs"].values()
    return [step["run"] for step in job["steps"] if "run" in step]


def gitlab() -> list[str]:
    """Lines of one job are one script."""
    return ["\n".join(job["script"]) for job in block("gitlab").values()]


def azure() -> list[str]:
    return [step["script"] for step in block("azure")["steps"] if "script" in step]


PIPELINES = {"github": github(), "gitlab": gitlab(), "azure": azure()}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_checks_tests_proves_and_comments(repository: Path, path: str, name: str) -> None:
    codes = [run(script, repository, path) for script in PIPELINES[name]]
    assert codes == [0] * len(codes)
    comment = (repository / "review.md").read_text()
    assert comment.startswith("### failoverctl review: 1 policy changes\n")
    assert "oci-fra 100%" in comment
    assert '"version": "2.1.0"' in (repository / "check.sarif").read_text()
    assert "<testsuite" in (repository / "report.xml").read_text()
    calls = (repository.parent / "calls").read_text()
    assert "pip\ninstall\nfailoverd\n" in calls
    assert "review.md" in calls or "failoverctl review" in (repository / "thread.json").read_text()


@pytest.mark.parametrize("name", PIPELINES)
def test_a_file_that_does_not_load_fails_it_and_is_told_all_the_same(repository: Path, path: str, name: str) -> None:
    (repository / "policies" / "shop.yaml").write_text(WRONG)
    commit(repository, "wrong")
    codes = [run(script, repository, path) for script in PIPELINES[name]]
    checks = [code for script, code in zip(PIPELINES[name], codes, strict=True) if "failoverctl" in script]
    assert checks == [1] * len(checks)
    assert "FD201" in (repository / "check.sarif").read_text()
    assert "FD201" in (repository / "review.md").read_text()
    calls = (repository.parent / "calls").read_text()
    assert "gh\npr\ncomment\n7" in calls or "curl\n--fail" in calls


def test_a_comment_has_what_its_server_asks_for(repository: Path, path: str) -> None:
    if shutil.which("jq") is None:
        pytest.skip("the pipelines of Azure DevOps have jq")
    for scripts in PIPELINES.values():
        run(scripts[-1], repository, path)
    thread = YAML(typ="safe").load(repository / "thread.json")
    assert thread["comments"] == [{"content": (repository / "review.md").read_text(), "commentType": 1}]
    calls = (repository.parent / "calls").read_text()
    assert "https://gitlab.example.com/api/v4/projects/1/merge_requests/7/notes" in calls
    assert "https://dev.example.com/acme/p/_apis/git/repositories/r/pullRequests/7/threads?api-version=7.1" in calls
