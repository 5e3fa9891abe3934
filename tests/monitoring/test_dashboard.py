"""The Grafana dashboard, as far as it can be judged without a Grafana: by its own model, and by what it asks for.

What its panels show is asked of a real Prometheus in tests/monitoring/test_prometheus.py.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from support.prometheus import documented, metrics_of

ROOT = Path(__file__).parents[2]
BOARD: dict[str, Any] = json.loads((ROOT / "monitoring" / "grafana" / "failoverd.json").read_text())
METRICS = (ROOT / "docs" / "metrics.md").read_text()
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()
WIDTH = 24

OF_THE_DATA_SOURCE = {"titleFormat", "useValueForTime", "definition"}
"""What a Prometheus data source adds to the model."""


def unknown(said: object, understood: object, at: str = "") -> Iterator[str]:
    """What was lost or changed on the way through the model."""
    if isinstance(said, dict) and isinstance(understood, dict):
        for key in said.keys() - OF_THE_DATA_SOURCE:
            if key in understood:
                yield from unknown(said[key], understood[key], f"{at}.{key}")
            else:
                yield f"{at}.{key}"
    elif isinstance(said, list) and isinstance(understood, list) and len(said) == len(understood):
        for index, (one, other) in enumerate(zip(said, understood, strict=True)):
            yield from unknown(one, other, f"{at}[{index}]")
    elif said != understood:
        yield f"{at}: {said!r} is {understood!r}"


def test_the_model_of_grafana_knows_every_key_of_it() -> None:
    plugins.register_default_plugins()
    understood = json.loads(JSONEncoder().encode(Dashboard.from_json(BOARD)))
    assert list(unknown(BOARD, understood)) == []


def test_a_key_that_is_none_would_be_found() -> None:
    plugins.register_default_plugins()
    wrong = BOARD | {"panels": [BOARD["panels"][1] | {"gridPosition": {}}]}
    understood = json.loads(JSONEncoder().encode(Dashboard.from_json(wrong)))
    assert list(unknown(wrong, understood)) == [".panels[0].gridPosition"]


def test_it_can_be_imported_into_any_grafana() -> None:
    assert BOARD["uid"] == "failoverd"
    assert BOARD["schemaVersion"] >= 36
    assert "id" not in BOARD
    sources = [each for each in BOARD["templating"]["list"] if each["type"] == "datasource"]
    assert [each["query"] for each in sources] == ["prometheus"]
    used = set(re.findall(r'"uid": "([^"]*)"', json.dumps(BOARD["panels"]) + json.dumps(BOARD["annotations"])))
    assert used == {f"${{{sources[0]['name']}}}"}
    variables = {each["name"] for each in BOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(BOARD))) <= variables | {"__rate_interval", "__all"}


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < WIDTH
        assert taken.isdisjoint(cells)
        taken |= cells


def test_panels_say_what_they_show_and_name_runbooks_that_there_are() -> None:
    for panel in (each for each in BOARD["panels"] if each["type"] != "row"):
        assert panel["description"], panel["title"]
        for alert in re.findall(r"\bFailoverd[A-Z]\w+", panel["description"]):
            assert f"\n## {alert}\n" in RUNBOOKS
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)


def test_panels_ask_for_what_the_daemon_exports_and_name_labels_that_it_has() -> None:
    there = documented(METRICS)
    targets = [target for panel in BOARD["panels"] for target in panel.get("targets", ())]
    assert targets
    for expression, legend in [
        *((target["expr"], target["legendFormat"]) for target in targets),
        *((annotation["expr"], annotation["titleFormat"]) for annotation in BOARD["annotations"]["list"]),
    ]:
        asked = metrics_of(expression)
        assert asked
        assert asked <= there.keys()
        labels = set[str]().union(*(there[metric] for metric in asked))
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= labels
        assert set(re.findall(r'(\w+)[=!]~?"', expression)) <= labels


NOT_DRAWN = {
    "failoverd_start_time_seconds": "a start moves nothing, and what comes with it is drawn",
    "failoverd_schedule_lag_max_seconds": "the histogram of the same is drawn",
    "failoverd_override_age_seconds": "an alert asks for it",
    "failoverd_trip_wires": "how often they trip is drawn",
    "failoverd_notifications_delivered_total": "what is not delivered is drawn",
    "failoverd_leader_known": "an alert asks for it",
    "failoverd_replay_differing": "an alert asks for it",
    "failoverd_replay_decisions": "once a night; the alert says how many differ",
    "failoverd_replay_timestamp_seconds": "the same",
    "failoverd_replay_unreadable": "the same",
    "process_virtual_memory_bytes": "what is resident is drawn",
    "process_start_time_seconds": "as that of failoverd",
    "process_open_fds": "what they allow is drawn: `failoverd_probes_in_flight_limit`",
    "process_max_fds": "the same",
}
"""Metrics without a panel, and why nobody misses one."""


def test_what_the_daemon_exports_is_drawn_or_it_is_said_why_not() -> None:
    """Whoever adds a metric adds a panel, or a row above. Annotations are drawn as well."""
    asked = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", ())]
    asked += [annotation["expr"] for annotation in BOARD["annotations"]["list"]]
    drawn = set[str]().union(*map(metrics_of, asked))
    exported = documented(METRICS).keys() - {"up"}
    assert exported - drawn == NOT_DRAWN.keys()


def test_numbers_that_stand_for_states_have_the_words_of_the_metrics() -> None:
    """A state that metrics know and the timeline does not would be shown as if nothing were there."""
    for title, metric in (
        ("Health of regions", "failoverd_region_state"),
        ("State of records", "failoverd_record_state"),
    ):
        (panel,) = [each for each in BOARD["panels"] if each["title"] == title]
        asked = set(re.findall(r'state="(\w+)"', panel["targets"][0]["expr"]))
        (row,) = re.findall(rf"^\| `{metric}` \| gauge \| .*? \| (.*) \|$", METRICS, re.MULTILINE)
        said = set(re.findall(r"`([a-z_]+)`", row.partition(":")[2])) - {"failoverctl"}
        assert asked == said
        words = {
            value["text"].replace(" ", "_")
            for value in panel["fieldConfig"]["defaults"]["mappings"][0]["options"].values()
        }
        assert words == asked
