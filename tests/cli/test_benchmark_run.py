"""`failoverctl benchmark` as it is run: against real servers, one that answers at once and one that does not."""

import asyncio
import json
import os
import signal
from contextlib import AsyncExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support.benchmarks import FAR, SLOW, Folder, compared, ended, write
from support.inference_api import MODEL, inference_api
from support.targets import refusing, serve

FINE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


async def measured(here: Folder, *words: str) -> dict[str, dict[str, Any]]:
    """What JSON says of each region."""
    done = await here.benchmark("--yes", "--output", "json", *words)
    assert done.code == FINE, done.err
    return {region["name"]: region for region in json.loads(done.out)["regions"]}


async def test_a_slow_region_shows_beside_a_fast_one(tmp_path: Path) -> None:
    async with compared(tmp_path) as here:
        found = await measured(here, "--for", "2s", "--rate", "10/s")
        near, far = found["near"], found["far"]
        assert near["requests"] == far["requests"] == len(here.near.requests) == len(here.far.requests) == 20
        assert far["latency_since_due"]["p50"] >= SLOW > near["latency_since_due"]["p50"]
        assert far["phases"]["first_byte"]["p50"] >= SLOW > near["phases"]["connect"]["max"]
        assert near["availability"] == {"share": 1.0, "low": near["availability"]["low"], "high": 1.0, "of": 20}
        assert 5 < far["answers_per_second"] <= 10
        assert (near["cloud"], near["cost"]["egress_per_gb"], near["cost"]["egress"]) == ("azure", 0.087, None)


async def test_tables_are_on_standard_output_and_everything_else_is_not(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    async with compared(tmp_path) as here:
        done = await here.benchmark("--yes", "--for", "1s", "--rate", "5/s", "--html", str(page))
    assert done.code == FINE, done.err
    assert "10 requests of check live (http) within 1s" in done.err
    assert "5 to each of 2 endpoints (near 1, far 1), 5/s each, 10/s in all" in done.err
    assert "10 of 10 requests are over" in done.err
    assert "Regions: answers" in done.out
    assert "unknown" in done.out
    assert "requests are over" not in done.out
    HTMLParser().feed(page.read_text())
    assert "near" in page.read_text()


async def test_nothing_is_sent_before_somebody_says_yes(tmp_path: Path) -> None:
    async with compared(tmp_path) as here:
        done = await here.benchmark("--for", "1s")
        assert (done.code, done.out) == (USAGE, "")
        assert "2 requests of check live" in done.err
        assert "refused: nobody is there to be asked" in done.err
        assert here.near.connections == here.far.connections == 0


@pytest.mark.parametrize(("said", "code", "requests"), [(b"n\n", FAILED, 0), (b"y\n", FINE, 2)])
async def test_on_a_terminal_it_asks(tmp_path: Path, said: bytes, code: int, requests: int) -> None:
    async with compared(tmp_path) as here:
        ours, theirs = os.openpty()
        try:
            os.write(ours, said)
            done = await ended(await here.start("--for", "1s", "--rate", "2/s", "--region", "near", stdin=theirs))
        finally:
            os.close(ours)
            os.close(theirs)
        assert (done.code, len(here.near.requests)) == (code, requests), done.err
        assert "Send it? [y/N]" in done.err


async def test_what_is_out_of_bounds_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    async with compared(tmp_path) as here:
        for words, why in (
            (("--rate", "51/s"), "50/s per endpoint at most"),
            (("--for", "61m"), "1h at most"),
            (("--region", "nowhere"), "it has: near, far"),
            (("--check", "deep"), "it has: live"),
        ):
            done = await here.benchmark("--yes", *words)
            assert (done.code, why in done.err) == (FAILED, True), done.err
        done = await here.benchmark("--yes", "--rate", "often")
        assert (done.code, "write 10/s or 30/m" in done.err) == (USAGE, True), done.err
        assert here.near.connections == here.far.connections == 0


async def test_a_region_that_refuses_has_no_latency_and_no_availability(tmp_path: Path) -> None:
    async with compared(tmp_path) as here:
        with refusing(FAR) as nobody:
            text = (tmp_path / "policies" / "api.yaml").read_text()
            (tmp_path / "policies" / "api.yaml").write_text(text.replace(str(here.far.port), str(nobody.port)))
            found = await measured(here, "--for", "1s", "--rate", "10/s")
    far = found["far"]
    assert (far["availability"]["share"], far["latency_since_due"]) == (0.0, None)
    assert far["reasons"] == {"connect_refused": 10}


async def test_ctrl_c_ends_it_early_and_shows_what_is_known(tmp_path: Path) -> None:
    async with compared(tmp_path) as here:
        process = await here.start("--yes", "--output", "json", "--for", "1h", "--rate", "20/s")
        async with asyncio.timeout(30):
            await here.asked.wait()
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    found = json.loads(done.out)
    assert (done.code, found["interrupted"]) == (INTERRUPTED, True), done.err
    assert found["regions"][0]["requests"] > 0
    assert "ended early" in done.err
    assert found["seconds"] < 30


# -- inference ---------------------------------------------------------------------------------------------------------

INFERENCE = f"inference: /v1, model: {MODEL}, every: 1s, timeout: 1s, completion_every: 1s, tokens_per_day: 400"


async def test_completions_are_asked_for_only_when_they_may_cost_something(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(inference_api())
        assert api.target is not None
        far = await stack.enter_async_context(serve(api.answer, FAR))
        here = write(tmp_path, api.target, far, INFERENCE)
        found = await measured(here, "--for", "1s", "--rate", "4/s")
        assert found["near"]["time_to_first_token"] is None
        assert found["near"]["cost"]["tokens"] == 0

        found = await measured(here, "--for", "1s", "--rate", "4/s", "--spend")
        assert found["near"]["time_to_first_token"]["count"] >= 1
        cost = found["near"]["cost"]
        assert cost["tokens"] > 0
        assert cost["completions"] == cost["tokens"] * cost["per_million_tokens"] / 1_000_000
        assert found["far"]["cost"]["completions"] is None
        assert found["near"]["cost"]["tokens"] + found["far"]["cost"]["tokens"] <= 400
