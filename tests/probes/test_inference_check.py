"""The ladder of an inference check at a real server: what each answer means, and when it is asked for."""

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.inference_api import DONE, KEY, MODEL, PONG, Api, data, delta, inference_api, listed, streamed, usage
from support.probers import AwaitedProber, PaperLedger, prober
from support.targets import refusing, response

from failoverd.core.errors import ConfigError
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Model, ProbeResult
from failoverd.probes.inference_check.inference_settings import most_tokens

TODAY = "2026-11-23"
START = 1_795_435_200.0  # noon of that day
ACCOUNT = "inference-api/live"
MOST = most_tokens("ping", 1)


class Clock:
    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Ladder:
    """An inference check whose time is the test's."""

    def __init__(self, **settings: object) -> None:
        self.clock = Clock()
        self.ledger = PaperLedger()
        asked = {"model": MODEL, "live": "/health", "every": "10s", "timeout": "5s", **settings}
        self.awaited: AwaitedProber = prober("inference", "/v1", self.clock, ledger=self.ledger, **asked)

    async def probe(self, api: Api, after: float = 0.0) -> ProbeResult:
        self.clock.now += after
        return await self.awaited.probe(api.endpoint)

    @property
    def spent(self) -> int:
        return sum(self.ledger.spent.values())


def completing(**settings: object) -> Ladder:
    return Ladder(completion_every="5m", **settings)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ValidationError) as caught:
        call()
    return str(caught.value)


# -- all is well -------------------------------------------------------------------------------------------------------


async def test_each_rung_is_asked_when_it_is_its_turn() -> None:
    ladder = completing()
    async with inference_api() as api:
        for _ in range(31):  # five minutes
            assert (await ladder.probe(api, after=10.0)).reason is ProbeReason.OK
    assert (api.count("/health"), api.count("/v1/models"), api.count("/v1/chat/completions")) == (31, 6, 2)


async def test_a_pass_tells_what_every_rung_said_and_how_fast() -> None:
    ladder = completing()
    async with inference_api() as api:
        result = await ladder.probe(api)
        again = await ladder.probe(api, after=10.0)
    assert result.outcome is ProbeOutcome.PASS
    assert result.detail.startswith(f"200 OK; {MODEL} is listed; first token after ")
    assert set(dict(result.measures)) == {"time_to_first_token", "completion_left_out"}
    assert dict(again.measures) == {"completion_left_out": 0.0}


async def test_without_a_liveness_path_the_models_are_listed_each_time() -> None:
    ladder = Ladder(live=None)
    async with inference_api() as api:
        for _ in range(3):
            assert (await ladder.probe(api, after=10.0)).reason is ProbeReason.OK
    assert api.asked == ["/v1/models"] * 3


async def test_speed_is_measured_over_several_tokens() -> None:
    parts = (*(delta(text) for text in "abcd"), usage(9, 4), DONE)
    ladder = completing(max_tokens=8)
    async with inference_api(completion=streamed(*parts), max_tokens=8) as api:
        measures = dict((await ladder.probe(api)).measures)
    assert measures["tokens_per_second"] > 0
    assert 0 < measures["time_to_first_token"] < 5


# -- the liveness rung -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        ("503 Service Unavailable", ProbeReason.STATUS_UNEXPECTED, ProbeOutcome.FAIL),
        ("500 Internal Server Error", ProbeReason.STATUS_UNEXPECTED, ProbeOutcome.FAIL),
        ("429 Too Many Requests", ProbeReason.OVERLOADED, ProbeOutcome.DEGRADED),
        ("403 Forbidden", ProbeReason.CREDENTIAL_REFUSED, ProbeOutcome.BLIND),
    ],
)
async def test_what_a_status_means(status: str, reason: ProbeReason, outcome: ProbeOutcome) -> None:
    async with inference_api(live=(response(status),)) as api:
        result = await Ladder().probe(api)
    assert (result.reason, result.outcome) == (reason, outcome)


async def test_a_server_that_is_not_alive_is_not_asked_for_more() -> None:
    async with inference_api(live=(response("503 Service Unavailable"),)) as api:
        await completing().probe(api)
    assert api.asked == ["/health"]


async def test_a_port_that_nobody_listens_at_fails() -> None:
    with refusing() as target:
        result = await Ladder().awaited.probe(target.endpoint)
    assert result.reason is ProbeReason.CONNECT_REFUSED


async def test_a_right_answer_that_comes_late_is_slow() -> None:
    async with inference_api() as api:
        result = await Ladder(slow="0.001ms").probe(api)
    assert (result.reason, result.outcome) == (ProbeReason.SLOW, ProbeOutcome.DEGRADED)


# -- the models rung ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (response("404 Not Found"), ProbeReason.STATUS_UNEXPECTED),
        (response("401 Unauthorized"), ProbeReason.CREDENTIAL_REFUSED),
        (listed({"id": "another"}), ProbeReason.MODEL_MISSING),
        (listed(), ProbeReason.MODEL_MISSING),
        (response("200 OK", b"<html>"), ProbeReason.BODY_MISMATCH),
        (response("200 OK", b'{"data": {}}'), ProbeReason.BODY_MISMATCH),
        (response("200 OK", b'{"data": [1]}'), ProbeReason.BODY_MISMATCH),
        (response("200 OK", b"[" * 100_000), ProbeReason.BODY_MISMATCH),
        (response("200 OK", b"9" * 10_000), ProbeReason.BODY_MISMATCH),
        (response("200 OK", b"\xff\xfe"), ProbeReason.BODY_MISMATCH),
        (response("200 OK", b" " * 300_000), ProbeReason.RESPONSE_TOO_LARGE),
    ],
)
async def test_a_list_of_models_that_is_wrong(body: bytes, reason: ProbeReason) -> None:
    async with inference_api(models=(body,)) as api:
        result = await completing().probe(api)
    assert result.reason is reason
    assert api.count("/v1/chat/completions") == 0


@pytest.mark.parametrize(
    ("settings", "entry", "reason"),
    [
        ({"revision": "r7"}, {"root": "r7"}, ProbeReason.OK),
        ({"revision": "r7"}, {"root": "r8"}, ProbeReason.REVISION_MISMATCH),
        ({"revision": "r7"}, {"revision": "r8", "root": "r7"}, ProbeReason.REVISION_MISMATCH),
        ({"revision": "r7"}, {"version": "r7", "root": "r8"}, ProbeReason.OK),
        ({"revision": "r7"}, {}, ProbeReason.REVISION_MISMATCH),
        ({"revision": "r7"}, {"root": ["r7"]}, ProbeReason.REVISION_MISMATCH),
        ({"revision": "meta", "revision_field": "owned_by"}, {"owned_by": "meta", "root": "x"}, ProbeReason.OK),
        ({"revision": "17", "revision_field": "created"}, {"created": 17}, ProbeReason.OK),
    ],
)
async def test_the_revision_is_that_of_the_policy(
    settings: dict[str, object], entry: dict[str, object], reason: ProbeReason
) -> None:
    async with inference_api(models=(listed({"id": MODEL, **entry}),)) as api:
        assert (await Ladder(**settings).probe(api)).reason is reason


@pytest.mark.parametrize(
    ("settings", "entry", "seen"),
    [
        ({}, {"root": "/models/r7"}, Model(MODEL)),  # who is not told where it stands takes no path for a revision
        ({"revision_field": "root"}, {"root": "r8"}, Model(MODEL, "r8")),
        ({"revision_field": "root"}, {}, Model(MODEL)),
        ({"revision": "r7"}, {"root": "r7"}, Model(MODEL, "r7")),
        ({"revision": "r7"}, {"root": "r8"}, None),  # the check fails, which says enough
    ],
)
async def test_what_the_list_states_is_told_by_whoever_asked_for_it(
    settings: dict[str, object], entry: dict[str, object], seen: Model | None
) -> None:
    async with inference_api(models=(listed({"id": MODEL, **entry}),)) as api:
        assert (await Ladder(**settings).probe(api)).served == seen


async def test_a_model_is_told_once_for_each_time_that_it_was_looked_for() -> None:
    async with inference_api(models=(listed({"id": MODEL, "root": "r8"}),)) as api:
        ladder = Ladder(live="/health", models_every="60s", revision_field="root")
        assert (await ladder.probe(api)).served == Model(MODEL, "r8")
        assert (await ladder.probe(api, after=10.0)).served is None
        assert (await ladder.probe(api, after=60.0)).served == Model(MODEL, "r8")


# -- the completion rung -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("completion", "reason", "outcome"),
    [
        ((response("503 Service Unavailable"),), ProbeReason.STATUS_UNEXPECTED, ProbeOutcome.FAIL),
        ((response("429 Too Many Requests"),), ProbeReason.OVERLOADED, ProbeOutcome.DEGRADED),
        ((response("401 Unauthorized"),), ProbeReason.CREDENTIAL_REFUSED, ProbeOutcome.BLIND),
        ((response("200 OK", b"{}", "Content-Type: application/json"),), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        ((response("200 OK", b"x"),), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(delta("pong")), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),  # no [DONE]
        (streamed(DONE), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(delta(""), DONE), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(b"data: {broken\n\n"), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(b"data: 7\n\n"), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(data(b"[" * 50_000)), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(data({"choices": 1})), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(data({"choices": [1]})), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(data({"choices": [{"delta": None}]})), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(b"<html>\n"), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(b"data: " + b"x" * 70_000), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),  # a line without end
        (streamed(b"data: x\n" * 20_000), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),  # an event without end
        (streamed(delta("pong") * 5_000), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),  # a stream without end
        (streamed(data({"error": {"message": "engine died"}})), ProbeReason.STREAM_INVALID, ProbeOutcome.FAIL),
        (streamed(data({"error": {"message": "full", "code": 429}})), ProbeReason.OVERLOADED, ProbeOutcome.DEGRADED),
        (streamed(data({"error": "full", "error_type": "overloaded"})), ProbeReason.OVERLOADED, ProbeOutcome.DEGRADED),
        (streamed(delta("", "length"), DONE), ProbeReason.OK, ProbeOutcome.PASS),  # the one token ends the text
        (streamed(delta("", reasoning_content="hm"), DONE), ProbeReason.OK, ProbeOutcome.PASS),
        (streamed(b": hello\n\n", b"event: x\nid: 1\n", delta("pong").replace(b"\n", b"\r\n"), DONE),
         ProbeReason.OK, ProbeOutcome.PASS),
    ],
)  # fmt: skip
async def test_what_a_completion_means(
    completion: tuple[bytes, ...], reason: ProbeReason, outcome: ProbeOutcome
) -> None:
    async with inference_api(completion=completion) as api:
        result = await completing().probe(api)
    assert (result.reason, result.outcome) == (reason, outcome)


async def test_a_first_token_that_comes_late_is_degraded() -> None:
    async with inference_api() as api:
        result = await completing(slow_first_answer="0.001ms").probe(api)
    assert (result.reason, result.outcome) == (ProbeReason.FIRST_TOKEN_SLOW, ProbeOutcome.DEGRADED)
    assert "time_to_first_token" in dict(result.measures)


async def test_too_few_tokens_a_second_are_degraded() -> None:
    parts = (delta("a"), delta("b"), usage(9, 2), DONE)
    ladder = completing(max_tokens=8, min_tokens_per_second=1_000_000)
    async with inference_api(completion=streamed(*parts), max_tokens=8) as api:
        result = await ladder.probe(api)
    assert (result.reason, result.outcome) == (ProbeReason.THROUGHPUT_LOW, ProbeOutcome.DEGRADED)


async def test_a_stream_that_stops_in_the_middle_fails_at_the_deadline() -> None:
    ladder = completing(timeout="1s")
    async with inference_api(completion=streamed(delta("pong")), hangs=True) as api:
        result = await ladder.probe(api)
        assert result.reason is ProbeReason.RESPONSE_TIMEOUT
        api.hangs, api.completion = False, PONG
        assert (await ladder.probe(api)).reason is ProbeReason.OK
    assert api.count("/v1/chat/completions") == 2


# -- how rungs combine -------------------------------------------------------------------------------------------------


async def test_a_failure_is_asked_for_again_until_it_is_sure_and_then_ever_more_seldom() -> None:
    ladder = completing()
    async with inference_api(completion=(response("503 Service Unavailable"),)) as api:
        asked = []
        for _ in range(60):
            assert (await ladder.probe(api, after=10.0)).outcome is ProbeOutcome.FAIL
            asked.append(api.count("/v1/chat/completions"))
        assert asked[:3] == [1, 2, 3]
        assert [probe for probe, (was, now) in enumerate(pairwise(asked), 1) if now > was] == [
            1, 2, 3, 5, 9, 17, 33,
        ]  # fmt: skip
        api.completion = PONG
        await ladder.probe(api, after=300.0)
        assert (await ladder.probe(api)).outcome is ProbeOutcome.PASS


async def test_a_failure_that_is_not_new_says_how_old_it_is() -> None:
    ladder = completing()
    async with inference_api(completion=(response("503 Service Unavailable"),)) as api:
        for _ in range(4):
            result = await ladder.probe(api, after=10.0)
        assert result.detail == "completion: 503 Service Unavailable"
        result = await ladder.probe(api, after=1.0)
    assert result.detail == "completion, 1s ago: 503 Service Unavailable"


async def test_what_cannot_be_asked_again_does_not_count_for_ever() -> None:
    ladder = completing(tokens_per_day=MOST)
    async with inference_api(completion=streamed(delta("pong"))) as api:  # costs what was reserved
        assert (await ladder.probe(api)).outcome is ProbeOutcome.FAIL
        assert (await ladder.probe(api, after=299.0)).outcome is ProbeOutcome.FAIL
        result = await ladder.probe(api, after=2.0)
    assert result.outcome is ProbeOutcome.PASS
    assert "no tokens are left to spend today" in result.detail


async def test_a_probe_that_is_blind_does_not_repeat_what_was_seen_before() -> None:
    ladder = completing()
    async with inference_api(completion=(response("503 Service Unavailable"),)) as api:
        assert (await ladder.probe(api)).outcome is ProbeOutcome.FAIL
        api.live = (response("401 Unauthorized"),)
        assert (await ladder.probe(api)).outcome is ProbeOutcome.BLIND


async def test_endpoints_have_rungs_of_their_own() -> None:
    ladder = completing()
    async with inference_api() as one, inference_api(completion=(response("503 Service Unavailable"),)) as other:
        assert (await ladder.probe(one)).outcome is ProbeOutcome.PASS
        assert (await ladder.probe(other)).outcome is ProbeOutcome.FAIL
        assert (await ladder.probe(one)).outcome is ProbeOutcome.PASS


async def test_probes_that_overlap_ask_for_one_completion() -> None:
    ladder = completing()
    async with inference_api() as api:
        results = await asyncio.gather(*(ladder.probe(api) for _ in range(5)))
    assert {result.outcome for result in results} == {ProbeOutcome.PASS}
    assert (api.count("/health"), api.count("/v1/chat/completions")) == (5, 1)


async def test_one_failure_is_not_told_by_the_probes_beside_the_one_that_asks_again() -> None:
    ladder = completing(timeout="1s")
    async with inference_api(completion=streamed(), hangs=True) as api:
        assert (await ladder.probe(api)).reason is ProbeReason.RESPONSE_TIMEOUT
        asking = asyncio.create_task(ladder.probe(api))
        await api.until_asked("/v1/chat/completions", times=2)
        assert (await ladder.probe(api)).reason is ProbeReason.OK
        assert (await asking).reason is ProbeReason.RESPONSE_TIMEOUT


# -- 429 ---------------------------------------------------------------------------------------------------------------


async def test_retry_after_is_obeyed_and_the_endpoint_is_degraded_meanwhile() -> None:
    ladder = completing()
    full = response("429 Too Many Requests", b"", "Retry-After: 600")
    async with inference_api(completion=(full,)) as api:
        assert (await ladder.probe(api)).outcome is ProbeOutcome.DEGRADED
        api.completion = PONG
        for _ in range(59):
            result = await ladder.probe(api, after=10.0)
            assert (result.reason, result.outcome) == (ProbeReason.OVERLOADED, ProbeOutcome.DEGRADED)
        assert (api.count("/v1/models"), api.count("/v1/chat/completions")) == (1, 1)
        assert (await ladder.probe(api, after=10.0)).outcome is ProbeOutcome.PASS


async def test_a_server_that_is_full_and_then_dies_is_dead() -> None:
    ladder = completing()
    async with inference_api(completion=(response("429 Too Many Requests", b"", "Retry-After: 600"),)) as api:
        await ladder.probe(api)
        api.live = (response("503 Service Unavailable"),)
        assert (await ladder.probe(api, after=10.0)).outcome is ProbeOutcome.FAIL


async def test_without_retry_after_it_is_asked_again_soon() -> None:
    ladder = completing()
    async with inference_api(completion=(response("429 Too Many Requests"),)) as api:
        assert (await ladder.probe(api)).outcome is ProbeOutcome.DEGRADED
        api.completion = PONG
        assert (await ladder.probe(api, after=10.0)).outcome is ProbeOutcome.PASS


async def test_the_models_may_be_rationed_too() -> None:
    ladder = Ladder(live=None)
    async with inference_api(models=(response("429 Too Many Requests", b"", "Retry-After: 30"),)) as api:
        assert [(await ladder.probe(api, after=10.0)).reason for _ in range(4)] == [ProbeReason.OVERLOADED] * 4
    assert api.count("/v1/models") == 2


async def test_a_server_that_asked_to_wait_for_an_hour_and_dies_is_dead_also_without_a_liveness_path() -> None:
    ladder = Ladder(live=None)
    async with inference_api(models=(response("429 Too Many Requests", b"", "Retry-After: 3600"),)) as api:
        assert (await ladder.probe(api)).reason is ProbeReason.OVERLOADED
        assert (await ladder.probe(api, after=10.0)).reason is ProbeReason.OVERLOADED
        assert api.count("/v1/models") == 1
    gone = await ladder.probe(api, after=10.0)
    assert (gone.outcome, gone.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED)


# -- tokens ------------------------------------------------------------------------------------------------------------


async def test_what_a_completion_costs_is_what_the_server_counted() -> None:
    ladder = completing()
    async with inference_api() as api:
        await ladder.probe(api)
    assert ladder.ledger.spent == {(ACCOUNT, TODAY): 13}


@pytest.mark.parametrize(
    ("completion", "spent"),
    [
        (streamed(delta("pong"), DONE), MOST),  # nobody counted
        (streamed(delta("pong"), usage(-1, 1), DONE), MOST),
        (streamed(delta("pong"), data({"choices": [], "usage": {"total_tokens": "9"}}), DONE), MOST),
        (streamed(delta("pong"), usage(0, 0), DONE), 2),  # less than what was seen
        (streamed(delta("pong"), usage(400, 100), DONE), 500),  # more than was reserved
        (streamed(delta("pong")), MOST),
        ((response("503 Service Unavailable"),), MOST),
        ((response("429 Too Many Requests"),), 0),
        ((response("404 Not Found"),), 0),
    ],
)
async def test_in_doubt_a_completion_costs_what_it_may_cost_at_most(completion: tuple[bytes, ...], spent: int) -> None:
    ladder = completing()
    async with inference_api(completion=completion) as api:
        await ladder.probe(api)
    assert ladder.spent == spent


async def test_no_more_is_spent_than_a_day_allows() -> None:
    ladder = completing(tokens_per_day=MOST + 20)
    async with inference_api() as api:
        left_out = [dict((await ladder.probe(api, after=300.0)).measures)["completion_left_out"] for _ in range(6)]
        assert left_out == [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
        assert api.count("/v1/chat/completions") == 2
        assert ladder.spent == 26
        result = await ladder.probe(api, after=43_200.0)  # past midnight
    assert api.count("/v1/chat/completions") == 3
    assert "tokens are left" not in result.detail
    assert ladder.ledger.spent == {(ACCOUNT, TODAY): 26, (ACCOUNT, "2026-11-24"): 13}


async def test_a_new_day_is_not_waited_for_longer_than_it_takes() -> None:
    ladder = Ladder(tokens_per_day=MOST, completion_every="12h", models_every="12h")
    ladder.ledger.spent[ACCOUNT, TODAY] = MOST
    ladder.clock.now = START + 43_190.0
    async with inference_api() as api:
        assert dict((await ladder.probe(api)).measures)["completion_left_out"] == 1.0
        assert dict((await ladder.probe(api, after=10.0)).measures)["completion_left_out"] == 0.0


async def test_checks_with_one_key_do_not_overspend_together(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    ledger, clock = PaperLedger(), Clock()
    settings = {"model": MODEL, "completion_every": "5m", "tokens_per_day": 3 * MOST, "timeout": "5s"}
    ladders = [
        prober("inference", "/v1", clock, ledger=ledger, api_key_file=str(tmp_path / "key"), **settings)
        for _ in range(8)
    ]
    async with inference_api(key=KEY, completion=streamed(delta("pong"), DONE)) as api:
        results = await asyncio.gather(*(ladder.probe(api.endpoint) for ladder in ladders))
    assert sorted(dict(result.measures)["completion_left_out"] for result in results) == [0.0] * 3 + [1.0] * 5
    assert ledger.spent == {(str(tmp_path / "key"), TODAY): 3 * MOST}


async def test_a_ledger_that_hangs_costs_the_completion_and_not_the_endpoint() -> None:
    class Stuck(PaperLedger):
        async def reserve(self, *_: object) -> bool:
            await asyncio.Event().wait()
            raise AssertionError

    settings = {"model": MODEL, "live": "/health", "completion_every": "5m", "timeout": "5s"}
    async with inference_api() as api:
        result = await prober("inference", "/v1", Clock(), ledger=Stuck(), **settings).probe(api.endpoint)
    assert result.outcome is ProbeOutcome.PASS
    assert api.count("/v1/chat/completions") == 0


# -- the key -----------------------------------------------------------------------------------------------------------


async def test_the_key_goes_with_every_request_and_a_new_one_from_the_next_probe_on(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    ladder = completing(api_key_file=str(file))
    async with inference_api(key=KEY) as api:
        assert (await ladder.probe(api)).outcome is ProbeOutcome.PASS
        api.key = "another-key-for-the-same"
        assert (await ladder.probe(api)).reason is ProbeReason.CREDENTIAL_REFUSED
        fresh = tmp_path / "fresh"
        fresh.write_text(api.key)
        fresh.replace(file)
        assert (await ladder.probe(api)).outcome is ProbeOutcome.PASS
    assert ladder.ledger.spent.keys() == {(str(file), TODAY)}


async def test_the_key_is_in_no_result_and_no_repr(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    ladder = completing(api_key_file=str(tmp_path / "key"))
    echo = response(f"500 {KEY}", KEY.encode())
    told = streamed(data({"error": {"message": f"bad key {KEY}"}}))
    shown = [repr(ladder.awaited.prober)]
    for said in ({"live": (echo,)}, {"models": (echo,)}, {"completion": (echo,)}, {"completion": told}):
        async with inference_api(**said) as api:
            result = await ladder.probe(api)
            assert result.outcome is ProbeOutcome.FAIL
            shown.append(repr(result))
    assert not any(KEY[:8] in text for text in shown)


async def test_a_key_that_is_gone_blinds_the_check_until_it_is_back(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    ladder = Ladder(api_key_file=str(file))
    async with inference_api() as api:
        file.unlink()
        assert (await ladder.probe(api)).reason is ProbeReason.CREDENTIAL_MISSING
        file.write_text(KEY)
        assert (await ladder.probe(api)).outcome is ProbeOutcome.PASS


def test_a_key_that_is_missing_says_so_when_the_check_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Ladder(api_key_file=str(tmp_path / "key"))


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"slow_first_answer": "1s"}, "add completion_every"),
        ({"min_tokens_per_second": 5, "max_tokens": 8}, "add completion_every"),
        ({"min_tokens_per_second": 5, "completion_every": "5m"}, "one token has no speed"),
        ({"slow_first_answer": "5s", "completion_every": "5m"}, "shorter than timeout"),
        ({"completion_every": "5m", "tokens_per_day": 100}, "more than tokens_per_day"),
        ({"ca_file": "/ca.pem"}, "add tls: true"),
        ({"max_tokens": 65}, "less than or equal to 64"),
    ],
)
def test_settings_that_make_no_sense_together(settings: dict[str, object], words: str) -> None:
    assert words in refused(lambda: Ladder(**settings))


def test_the_request_is_one_that_json_can_say() -> None:
    ladder = completing(prompt='say "pong" \u00e9')
    body = json.loads(ladder.awaited.prober._body)  # type: ignore[attr-defined]
    assert body["messages"] == [{"role": "user", "content": 'say "pong" \u00e9'}]
