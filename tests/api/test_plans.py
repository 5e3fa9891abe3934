"""Plans are asked of the daemon: who may, how much, what is kept of it, and what becomes of it when nobody waits."""

import asyncio
import json
from hashlib import sha256
from pathlib import Path

import pytest
from support.api import ME, NOWHERE, SOON, House, elsewhere, heard

from failoverd.api.client import ApiError, Client, Elsewhere
from failoverd.config.schema.config_file import ApiEntry
from failoverd.store.reading import HistoryReading

CHANGE = {"plan": {"id": "chg-1", "kind": "change", "shares_after": {"west": 10_000}, "before": "?" * 1_000}}
READER = "the-token-of-who-reads"


async def refused(work: object) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        await work  # type: ignore[misc]
    return caught.value.status, caught.value.reason


async def hung_up(here: House, path: str, body: object, key: str = "") -> None:
    """Somebody asks, and hangs up once that is begun."""
    raw = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
    head += f"Idempotency-Key: {key}\r\n" if key else ""
    _, writer = await asyncio.open_unix_connection(str(here.socket))
    writer.write(f"{head}\r\n".encode() + raw)
    await here.plans.begun.wait()
    writer.transport.abort()


async def test_a_plan_is_asked_for_by_names_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        told = await here.client.plan(["inference-api"], ["oci-ashburn"])
        assert await refused(here.client.plan([NOWHERE], [])) == (404, "policy_unknown")
        with HistoryReading(here.path) as reading:
            assert reading.audit() == ()
    assert here.plans.asked[0] == (("inference-api",), ("oci-ashburn",))
    assert [(each.policy, each.revision) for each in told.policies] == [("inference-api", "1")]
    assert [(each.result, each.reason) for each in told.findings] == [("plan", ""), ("failed", "unreachable")]
    assert [each.change is not None for each in told.findings] == [True, False]


async def test_what_is_supposed_is_told_with_what_follows_and_nothing_of_it_can_be_applied(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        told = await here.client.plan([], [], if_down=["oci-ashburn"], if_cloud_down=["azure"], if_drained=["aws-use1"])
        assert await refused(here.client.plan([], [], if_down=[""])) == (422, "body_invalid")
    (said,) = here.plans.supposed
    assert [set(each) for each in (said.down, said.clouds, said.drained)] == [{"oci-ashburn"}, {"azure"}, {"aws-use1"}]
    assert told.supposed == "oci-ashburn and cloud azure down, aws-use1 drained"
    first, _ = told.findings
    assert (first.result, first.change) == ("plan", None)
    assert first.following is not None
    assert (first.following.at, first.following.after_bp) == (SOON, {"oci-ashburn": 10_000})


async def test_a_change_is_applied_once_in_the_name_of_who_asks_and_the_trail_says_what_was_agreed_to(
    tmp_path: Path,
) -> None:
    async with heard(tmp_path) as here:
        for _ in range(2):
            assert (await here.client.apply([CHANGE], key="k-1")).kept
        other = {"plan": {**CHANGE["plan"], "before": "!" * 1_000}}
        assert await refused(here.client.apply([other], key="k-1")) == (422, "key_reused")
        with HistoryReading(here.path) as reading:
            first, *_ = reading.audit()
    assert [(list(changes), actor) for changes, actor in here.plans.applied] == [([CHANGE], ME)]
    assert (first.actor, first.request, first.status) == (ME, "POST /v1/apply", 200)
    kept = json.loads(first.body)
    assert kept["changes"] == [{"id": '"chg-1"', "kind": '"change"', "shares_after": '{"west": 10000}'}]
    assert len(kept["digest"]) == 32


async def test_who_gives_up_waiting_for_a_plan_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failoverd.api.service._LISTENING", 0.05)
    async with heard(tmp_path) as here:
        here.plans.stuck = asyncio.Event()
        await hung_up(here, "/v1/plan", {})
        async with asyncio.timeout(20):
            await here.plans.given_up.wait()


async def test_a_daemon_that_stops_gives_up_the_plans_that_it_makes(tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        async with heard(tmp_path) as here:
            here.plans.stuck = asyncio.Event()
            asking = asyncio.create_task(here.client.plan([], []))
            await here.plans.begun.wait()
        await here.plans.given_up.wait()
        assert await refused(asking) == (0, "daemon_slow")


async def test_what_is_applied_goes_on_when_nobody_waits_and_is_answered_to_who_asks_again(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        here.plans.stuck = asyncio.Event()
        await hung_up(here, "/v1/apply", {"changes": [CHANGE]}, "k-1")
        here.plans.stuck.set()
        status, _ = await here.ask("POST", "/v1/apply", {"changes": [CHANGE]}, Idempotency_Key="k-1")
    assert (status, len(here.plans.applied), here.plans.given_up.is_set()) == (200, 1, False)


async def test_a_word_does_not_wait_for_what_is_being_applied(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        here.plans.stuck = asyncio.Event()
        applying = asyncio.create_task(here.client.apply([CHANGE]))
        await here.plans.begun.wait()
        drain = {"verb": "drain", "scope": {"regions": ["oci"]}, "reason": "it burns", "for_seconds": 60}
        assert (await here.ask("POST", "/v1/overrides", drain, Idempotency_Key="k-1"))[0] == 200
        here.plans.stuck.set()
        await applying


async def test_one_too_many_is_told_so_and_may_ask_again_with_the_same_key(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        here.plans.crowded = True
        assert await refused(here.client.plan([], [])) == (429, "too_many_plans")
        assert await refused(here.client.apply([CHANGE], key="k-1")) == (429, "too_many_plans")
        here.plans.crowded = False
        await here.client.apply([CHANGE], key="k-1")
    assert len(here.plans.applied) == 1


async def test_a_plan_may_be_larger_than_anything_else_and_has_its_bound(tmp_path: Path) -> None:
    large = {"plan": {"before": ["?" * 1_000] * 1_000}}
    async with heard(tmp_path) as here:
        await here.client.apply([large])
        assert await refused(here.client.apply([large] * 9)) == (413, "body_too_large")
        assert await refused(here.client.plan(["x" * 200] * 400, [])) == (413, "body_too_large")
        assert await refused(here.client.apply([])) == (422, "body_invalid")
    assert len(here.plans.applied) == 1


async def test_who_only_reads_has_no_plans_made_for_each_costs_requests_that_steering_needs(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"grafana read {sha256(READER.encode()).hexdigest()} 2099-01-01T00:00:00Z\n")
    async with heard(tmp_path, ApiEntry(tcp=elsewhere(tokens_file=tmp_path / "tokens"))) as here:
        assert here.api.port is not None
        reader = Client(Elsewhere("127.0.0.1", here.api.port, None, READER))
        assert (await reader.words()).overrides == ()
        for asking in (reader.plan([], []), reader.apply([CHANGE])):
            assert await refused(asking) == (403, "forbidden")
        wrong = Client(Elsewhere("127.0.0.1", here.api.port, None, "a-token-that-nobody-has"))
        assert await refused(wrong.plan([], [])) == (401, "token_unknown")
        with HistoryReading(here.path) as reading:
            kept = [(row.actor, row.request, row.status) for row in reading.audit()]
    assert kept[:2] == [("grafana", "POST /v1/plan", 403), ("grafana", "POST /v1/apply", 403)]
    assert (here.plans.asked, here.plans.applied) == ([], [])
