"""Each kind of receiver speaks as its documentation has it, to a stand-in that refuses whatever does not."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clouds.hook import TOKEN, Hook
from clouds.mirror import MIRRORS
from clouds.pagerduty import ROUTING_KEY, PagerDuty
from clouds.serving import Endpoint, Request, Response, serving
from clouds.slack import PATH, Slack
from support.notices import notice

from failoverd.core.errors import FailoverdError
from failoverd.core.status import Notice
from failoverd.ports import Outlet
from failoverd.telemetry.notifications import kinds
from failoverd.telemetry.notifications.alertmanager import Replica, labels
from failoverd.telemetry.notifications.fields import key_of
from failoverd.telemetry.notifications.pagerduty import MOST_BYTES, dedup_key
from failoverd.telemetry.notifications.posting import Undelivered, posting

LONG = "w" * 1_000
FULL = notice(
    "api.example.com A at bind-main",
    kind="failover.held",
    severity="error",
    summary=LONG,
    facts={"why": "down & <out>", "manual": "x" * 4_000, "undo": "```rm```"},
)


def outlets(kind: str, **settings: object) -> tuple[Outlet, ...]:
    found = kinds()[kind]
    return tuple(found.open(found.settings.model_validate(settings), "prod"))


async def send(outlet: Outlet, *notices: Notice) -> str:
    async with posting() as post:
        return await post(outlet.delivery(notices, 200.0), outlet.place)


def secret(folder: Path, text: str) -> Path:
    path = folder / "secret"
    path.write_text(f"{text}\n")
    return path


# -- PagerDuty ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pagerduty() -> PagerDuty:
    return PagerDuty()


@pytest.fixture
def pager(pagerduty: PagerDuty, tmp_path: Path) -> Iterator[Outlet]:
    with serving(pagerduty) as running:
        url, key = f"{running.url}/v2/enqueue", secret(tmp_path, ROUTING_KEY)
        yield outlets("pagerduty", pagerduty=url, routing_key_file=str(key))[0]


async def test_an_alert_is_opened_and_resolved_by_its_key(pagerduty: PagerDuty, pager: Outlet) -> None:
    assert await send(pager, FULL) == "202"
    ((key, event),) = pagerduty.open.items()
    assert key == "prod/failover.held/inference-api/api.example.com A at bind-main"
    payload = event["payload"]
    assert (payload["severity"], payload["class"], payload["group"]) == ("critical", "failover.held", FULL.policy)
    assert payload["custom_details"]["undo"] == "```rm```"
    assert event["links"] == [{"href": FULL.runbook, "text": "runbook"}]
    assert await send(pager, FULL) == "202"
    assert await send(pager, replace(FULL, ended=300.0)) == "202"
    assert pagerduty.open == {}
    assert [action for action, _ in pagerduty.log] == ["trigger", "trigger", "resolve"]


async def test_the_longest_alert_is_within_what_pagerduty_takes(pagerduty: PagerDuty, pager: Outlet) -> None:
    facts = {f"fact-{number}": "\N{OGHAM SPACE MARK}" * 4_000 for number in range(10)}
    longest = replace(FULL, subject="s" * 400, facts=facts)
    assert len(pager.delivery([longest], 0.0).body) <= MOST_BYTES
    assert await send(pager, longest) == "202"
    other = replace(longest, subject="s" * 401)
    assert len({dedup_key(longest, "prod"), dedup_key(other, "prod")}) == 2
    assert len(pagerduty.open) == 1


async def test_a_routing_key_that_is_wrong_is_told_without_being_shown(pager: Outlet, tmp_path: Path) -> None:
    wrong = "0000aaaa1111bbbb2222cccc3333dddd"
    secret(tmp_path, wrong)
    with pytest.raises(Undelivered) as caught:
        await send(pager, FULL)
    assert (caught.value.reason, caught.value.refused) == ("http_400", True)
    assert wrong not in str(caught.value)


@pytest.mark.parametrize("text", ["", "two words", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"])
async def test_a_secret_file_without_a_secret_is_named(pager: Outlet, tmp_path: Path, text: str) -> None:
    path = secret(tmp_path, text)
    with pytest.raises(FailoverdError, match=str(path)) as caught:
        await send(pager, FULL)
    assert caught.value.reason == "secret_invalid"


async def test_a_secret_file_that_is_gone_is_named(pager: Outlet, tmp_path: Path) -> None:
    (tmp_path / "secret").unlink()
    with pytest.raises(FailoverdError) as caught:
        await send(pager, FULL)
    assert caught.value.reason == "secret_unreadable"


# -- Slack -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[tuple[Slack, Outlet]]:
    slack = Slack()
    with serving(slack) as running:
        yield slack, outlets("slack", slack=str(secret(tmp_path, running.url + PATH)))[0]


async def test_slack_has_the_sentence_what_to_do_and_that_it_is_over(channel: tuple[Slack, Outlet]) -> None:
    slack, outlet = channel
    assert await send(outlet, FULL) == "200"
    assert await send(outlet, replace(FULL, ended=300.0)) == "200"
    begun, ended = slack.messages
    assert begun["text"].startswith("person needed: www")
    words = "\n".join(block["text"]["text"] for block in begun["blocks"])
    assert "why: down &amp; &lt;out&gt;" in words
    assert "undo:\n```'''rm'''```" in words
    assert f"runbook: <{FULL.runbook}>" in words
    assert ended["text"].startswith("resolved: ")


async def test_slack_has_a_command_whole_in_a_block_of_its_own_or_not_at_all(channel: tuple[Slack, Outlet]) -> None:
    slack, outlet = channel
    command = "# kept for 30 minutes\nnsupdate <<'END'\n" + "update add api.example.com 30 A 192.0.2.10\n" * 40 + "END"
    assert await send(outlet, replace(FULL, facts={"undo": command, "manual": "x" * 4_000})) == "200"
    texts = [block["text"]["text"] for block in slack.messages[-1]["blocks"]]
    assert f"undo:\n```{command.replace('<', '&lt;')}```" in texts
    (other,) = [text for text in texts if text.startswith("manual:")]
    assert (
        other == "manual:\n```# too long to be shown here: failoverctl why and status -v print all 4000 characters```"
    )


async def test_the_url_of_a_webhook_is_shown_nowhere(channel: tuple[Slack, Outlet], tmp_path: Path) -> None:
    _, outlet = channel
    url = (tmp_path / "secret").read_text().strip()
    assert outlet.place == "incoming webhook"
    assert PATH not in repr(outlet.delivery([FULL], 0.0))
    for wrong in (f"{url}x", "https://hooks.example.invalid" + PATH, "ftp://x" + PATH, "http://192.0.2.1" + PATH):
        secret(tmp_path, wrong)
        with pytest.raises(FailoverdError) as caught:
            await send(outlet, FULL)
        assert PATH[10:] not in str(caught.value)


# -- a webhook ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def hook() -> Iterator[tuple[Hook, Endpoint]]:
    hook = Hook(TOKEN)
    with serving(hook) as running:
        yield hook, running


async def test_a_webhook_gets_versioned_json_with_its_token(hook: tuple[Hook, Endpoint], tmp_path: Path) -> None:
    cloud, running = hook
    (outlet,) = outlets("webhook", webhook=f"{running.url}/in", token_file=str(secret(tmp_path, TOKEN)))
    assert await send(outlet, FULL) == "204"
    assert await send(outlet, replace(FULL, ended=300.5)) == "204"
    begun, ended = cloud.got
    assert (begun["schema"], begun["status"], begun["key"]) == (1, "firing", key_of(FULL, "prod"))
    assert (begun["since"], begun["ended"], begun["facts"]) == ("1970-01-01T00:01:40.000Z", None, dict(FULL.facts))
    assert (ended["status"], ended["ended"]) == ("resolved", "1970-01-01T00:05:00.500Z")
    secret(tmp_path, "another-token-of-nobody")
    with pytest.raises(Undelivered, match="answers 401: who are you") as caught:
        await send(outlet, FULL)
    assert "no restart is needed" in caught.value.remedy


# -- servers that send the request back --------------------------------------------------------------------------------


class Echo:
    """A `Cloud` that answers everything like that. `asked` is what arrived."""

    def __init__(self, mirror: Callable[[Request], Response]) -> None:
        self.asked: list[Request] = []
        self._mirror = mirror

    def answer(self, request: Request) -> Response:
        self.asked.append(request)
        return self._mirror(request)

    def throttled(self, _: float | None) -> Response:
        return Response(429)


REFUSING = {name: mirror for name, mirror in MIRRORS.items() if name != "page"}


@pytest.mark.parametrize("mirror", REFUSING.values(), ids=REFUSING)
@pytest.mark.parametrize("kind", ["pagerduty", "slack", "webhook", "alertmanager"])
async def test_nothing_that_is_said_of_a_refusal_repeats_a_secret(
    kind: str, mirror: Callable[[Request], Response], tmp_path: Path
) -> None:
    echo = Echo(mirror)
    with serving(echo) as running:
        hidden = f"{running.url}{PATH}" if kind == "slack" else ROUTING_KEY
        file, url = str(secret(tmp_path, hidden)), f"{running.url}/in"
        settings: dict[str, dict[str, object]] = {
            "pagerduty": {"pagerduty": url, "routing_key_file": file},
            "slack": {"slack": file},
            "webhook": {"webhook": url, "token_file": file},
            "alertmanager": {"alertmanager": [url], "token_file": file},
        }
        (outlet,) = outlets(kind, **settings[kind])
        with pytest.raises(Undelivered) as caught:
            await send(outlet, FULL)
    (asked,) = echo.asked
    assert hidden[-20:] in asked.target + asked.body.decode() + asked.headers.get("authorization", "")
    said = f"{caught.value} {caught.value.detail} {caught.value.remedy}"
    assert not [part for part in (hidden[-32:][at : at + 8] for at in range(24)) if part in said]
    assert "\x1b" not in said


# -- Alertmanager ------------------------------------------------------------------------------------------------------


def test_each_replica_is_an_address_of_its_own() -> None:
    urls = ["http://alerts-0:9093", "http://alerts-1:9093/prefix/"]
    first, second = outlets("alertmanager", alertmanager=urls)
    assert first.delivery([FULL], 0.0).url == "http://alerts-0:9093/api/v2/alerts"
    assert second.delivery([FULL], 0.0).url == "http://alerts-1:9093/prefix/api/v2/alerts"
    assert (first.place, second.place) == ("alerts-0:9093", "alerts-1:9093")


def test_an_alert_is_the_same_whatever_is_said_of_it() -> None:
    changed = replace(FULL, summary="other", facts={}, at=500.0, incident_id="inc-9", ended=600.0)
    assert labels(FULL, "prod") == labels(changed, "prod")
    assert labels(FULL, "prod")["alertname"] == "FailoverdFailoverHeld"
    others = (replace(FULL, subject="x"), replace(FULL, policy="x"), replace(FULL, kind="plan.held"))
    assert all(labels(other, "prod") != labels(FULL, "prod") for other in others)


def test_an_alert_that_lasts_ends_by_itself_after_it_was_missed_four_times() -> None:
    (outlet,) = outlets("alertmanager", alertmanager=["http://alerts:9093"], every="30s")
    assert isinstance(outlet, Replica)
    outlet.wall = lambda: 1_000.4

    def sent(of: Notice) -> Mapping[str, Any]:
        (alert,) = json.loads(outlet.delivery([of], 1_000.0).body)
        found: Mapping[str, Any] = alert
        return found

    assert outlet.every == 30.0
    assert sent(FULL)["startsAt"] == "1970-01-01T00:01:40.000Z"
    assert sent(FULL)["endsAt"] == "1970-01-01T00:18:40.000Z"
    assert sent(replace(FULL, ended=200.0))["endsAt"] == "1970-01-01T00:03:20.000Z"
    assert sent(FULL)["annotations"]["runbook_url"] == FULL.runbook
    outlet.wall = lambda: 1_600.0  # the clock was set since the daemon began
    assert (sent(FULL)["startsAt"], sent(FULL)["endsAt"]) == ("1970-01-01T00:11:40.000Z", "1970-01-01T00:28:40.000Z")
