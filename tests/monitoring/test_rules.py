"""The alert rules: valid, each with its runbook, each shown to fire and not to fire, and about what is exported."""

import re
import shlex
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml
from support.alertmanager import alertmanager
from support.prometheus import documented, metrics_of, promtool
from support.servers import program
from typer.main import get_command

from failoverd.cli.command_line import app

if TYPE_CHECKING:
    from click import Group

ROOT = Path(__file__).parents[2]
RULES = ROOT / "monitoring" / "failoverd.rules.yaml"
CASES = Path(__file__).with_name("failoverd.rules.test.yaml")
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()
METRICS = (ROOT / "docs" / "metrics.md").read_text()

ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}
CHAPTERS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOKS, re.MULTILINE | re.DOTALL))
LABELS = documented(METRICS)


# -- the rules ---------------------------------------------------------------------------------------------------------


def test_prometheus_takes_the_rules() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", str(RULES))


def test_each_alert_fires_when_it_should_and_not_in_the_near_miss() -> None:
    promtool("test", "rules", str(CASES))
    seen = defaultdict[str, set[bool]](set)
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        for check in case.get("promql_expr_test", ()):
            seen[re.findall(r'alertname="(\w+)"', check["expr"])[0]].add(bool(check["exp_samples"]))
    assert seen == {name: {True, False} for name in ALERTS}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_asks_and_tells_of_what_there_is(name: str) -> None:
    alert = ALERTS[name]
    asked = metrics_of(alert["expr"])
    assert asked
    assert asked <= LABELS.keys()
    there = set[str]().union(*(LABELS[metric] for metric in asked))
    named = {label for text in alert["annotations"].values() for label in re.findall(r"\$labels\.(\w+)", text)}
    matched = set(re.findall(r"(\w+)=~?\"", alert["expr"]))
    assert named | matched <= there
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}


# -- the runbooks ------------------------------------------------------------------------------------------------------


def test_every_alert_has_its_chapter_and_every_chapter_its_alert() -> None:
    assert list(CHAPTERS) == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_chapter_says_what_it_means_and_what_to_do(name: str) -> None:
    alert, chapter = ALERTS[name], CHAPTERS[name]
    assert alert["annotations"]["runbook_url"] == f"https://runbooks.example.com/failoverd#{name.lower()}"
    assert chapter.strip().startswith(f"**{alert['labels']['severity']}.**")
    for part in ("\nLook first", "\nDo", "\nLeave it alone", "\nSilence by `"):
        assert part in chapter, part
    there = {"alertname"}.union(*(LABELS[metric] for metric in metrics_of(alert["expr"])))
    silenced = re.findall(r"^Silence by (.*)", chapter, re.MULTILINE)[0]
    assert set(re.findall(r"`(\w+)`", silenced)) <= there


def test_every_command_of_the_runbooks_is_one() -> None:
    """Those to look with are run by tests/monitoring/test_prometheus.py, too."""
    commands = cast("Group", get_command(app)).commands
    known = {name: {option for each in command.params for option in each.opts} for name, command in commands.items()}
    said = [*re.findall(r"^failoverctl (.*)$", RUNBOOKS, re.MULTILINE), *re.findall(r"`failoverctl ([^`]*)`", RUNBOOKS)]
    assert said
    for line in said:
        verb, *words = shlex.split(line)
        assert verb in known, line
        assert {word for word in words if word.startswith("--")} <= known[verb], line


@pytest.mark.server
def test_the_command_that_silences_an_alert_does() -> None:
    (command,) = re.findall(r"^amtool (.*)$", RUNBOOKS, re.MULTILINE)
    words = shlex.split(command.replace("$USER", "alice"))
    with alertmanager("http://127.0.0.1:9/") as running:
        tool = [program("amtool"), f"--alertmanager.url={running.url}"]
        subprocess.run([*tool, *words], check=True, capture_output=True, timeout=60)
        asked = subprocess.run([*tool, "silence", "query"], check=True, capture_output=True, text=True, timeout=60)
    assert 'alertname="FailoverdHeld"' in asked.stdout
    assert 'policy="inference-api"' in asked.stdout


def test_the_command_that_names_the_place_of_the_runbooks_changes_all_of_them(tmp_path: Path) -> None:
    (tmp_path / RULES.name).write_text(RULES.read_text())
    (command,) = re.findall(r"^#   (sed .*)$", RULES.read_text(), re.MULTILINE)
    subprocess.run(["sh", "-eu", "-c", command], cwd=tmp_path, check=True, timeout=60)
    changed = yaml.safe_load((tmp_path / RULES.name).read_text())
    found = {rule["annotations"]["runbook_url"] for group in changed["groups"] for rule in group["rules"]}
    assert found == {f"https://wiki.example.net/failoverd#{name.lower()}" for name in ALERTS}


def test_the_configuration_of_the_manual_is_one(tmp_path: Path) -> None:
    (block,) = [each for each in re.findall(r"```yaml\n(.*?)```", METRICS, re.DOTALL) if "scrape_configs" in each]
    (tmp_path / RULES.name).write_text(RULES.read_text())
    (tmp_path / "prometheus.yml").write_text(block)
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml", folder=tmp_path)
