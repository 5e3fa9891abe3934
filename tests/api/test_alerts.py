"""What Alertmanager sends to the admin API: its notification as it is, and what comes of each alert of it."""

from pathlib import Path

from support.api import ME, heard

from failoverd.store.reading import HistoryReading

ALERT = {
    "status": "firing",
    "labels": {"alertname": "GpuFailing", "failoverd_region": "oci", "severity": "critical"},
    "annotations": {"summary": "two of eight GPUs are gone", "runbook_url": "https://runbooks.example.com/gpu"},
    "startsAt": "2025-12-01T03:10:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus:9090/graph?g0.expr=1",
    "fingerprint": "c6eeefc2a9f4d8f1",
}
NOTIFICATION = {
    "receiver": "failoverd",
    "status": "firing",
    "alerts": [ALERT],
    "groupLabels": {"alertname": "GpuFailing"},
    "commonLabels": {"alertname": "GpuFailing"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "version": "4",
    "groupKey": '{}:{alertname="GpuFailing"}',
    "truncatedAlerts": 0,
}
"""As Alertmanager 0.27 sends it (prometheus.io/docs/alerting/latest/configuration, webhook_config)."""


async def test_a_notification_is_heeded_without_a_key_kept_and_shown_like_a_word(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        status, told = await here.ask("POST", "/v1/alerts", NOTIFICATION)
        assert status == 200
        ((alert),) = told["alerts"]
        assert (alert["became"], alert["why"], alert["fingerprint"]) == ("given", "", ALERT["fingerprint"])
        _, words = await here.ask("GET", "/v1/overrides")
        (word,) = words["overrides"]
        assert (word["id"], word["verb"], word["actor"]) == (alert["override"], "alert", ME)
        _, again = await here.ask("POST", "/v1/alerts", NOTIFICATION)
        assert again["alerts"][0]["became"] == "extended"
        resolved = {**NOTIFICATION, "alerts": [{**ALERT, "status": "resolved", "endsAt": "2025-12-01T03:11:00Z"}]}
        _, over = await here.ask("POST", "/v1/alerts", resolved)
        assert over["alerts"][0]["became"] == "ended"
        with HistoryReading(tmp_path / "journal.db") as reading:
            kept = reading.audit(actor=ME, before=None, limit=10)
    assert [row.request for row in kept] == ["POST /v1/alerts"] * 3
    assert "GPUs" not in kept[0].body


async def test_what_is_not_for_us_is_told_and_refuses_nothing_else(tmp_path: Path) -> None:
    other = {**ALERT, "labels": {"alertname": "DiskFull"}, "fingerprint": "0"}
    async with heard(tmp_path) as here:
        status, told = await here.ask("POST", "/v1/alerts", {**NOTIFICATION, "alerts": [other, ALERT]})
    assert status == 200
    assert [each["became"] for each in told["alerts"]] == ["ignored", "given"]
    assert told["alerts"][0]["why"] == "it has no label failoverd_region"


async def test_what_is_no_notification_is_refused(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        for wrong in ({**NOTIFICATION, "version": "3"}, {"version": "4", "alerts": [{"status": "firing"}]}, {}):
            status, told = await here.ask("POST", "/v1/alerts", wrong)
            assert (status, told["reason"]) == (422, "body_invalid")
        status, _ = await here.ask("POST", "/v1/alerts", {**NOTIFICATION, "alerts": [ALERT] * 251})
        assert status in {413, 422}
