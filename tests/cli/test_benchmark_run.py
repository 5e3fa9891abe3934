"""`failoverctl benchmark` as it is run: against real servers, one that answers at once and one that does not."""

import asyncio
import json
import os
import signal
import time
from contextlib import AsyncExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support.benchmarks import FAR, SLOW, Folder, compared, ended, full_disk, listing, write
from support.inference_api import DONE, MODEL, delta, inference_api, streamed
from support.targets import refusing, serve

from failoverd.store.journal import open_journal

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
    assert "Regions: availability" in done.out
    assert "unknown" in done.out
    assert "requests are over" not in done.out
    HTMLParser().feed(page.read_text())
    assert "near" in page.read_text()


async def test_nothing_is_sent_before_somebody_says_yes(tmp_path: Path) -> None:
    async with compared(tmp_path) as here:
        done = await here.refused("--for", "1s")
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
            words = ("api", "--for", "1s", "--rate", "2/s", "--region", "near")
            done = await ended(await here.start(*words, stdin=theirs))
        finally:
            os.close(ours)
            os.close(theirs)
        assert (done.code, len(here.near.requests)) == (code, requests), done.err
        assert "Send it? [y/N]" in done.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--rate", "51/s"), "50/s per endpoint at most"),
        (("--rate", "often"), "write 10/s or 30/m"),
        (("--for", "61m"), "1h at most"),
        (("--for", "0s"), "more than 0s"),
        (("--for", "soon"), "is not a duration"),
        (("--region", "fra"), "no region 'fra'; did you mean \"far\"?"),
        (("--region", ""), "no region ''; known here: near, far"),
        (("--check", "life"), "no check 'life'; did you mean \"live\"?"),
    ],
)
async def test_what_cannot_be_asked_for_is_usage_and_nothing_is_sent(
    tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    async with compared(tmp_path) as here:
        done = await here.refused("--yes", *words)
        assert (done.code, done.out, why in " ".join(done.err.split())) == (USAGE, "", True), done.err
        assert here.near.connections == here.far.connections == 0


async def test_a_policy_that_is_not_there_is_usage(tmp_path: Path) -> None:
    async with compared(tmp_path) as here:
        done = await here.refused("--yes", policy="apj")
        assert (done.code, 'did you mean "api"?' in done.err) == (USAGE, True), done.err
        (tmp_path / "policies" / "api.yaml").write_text("version: 1\npolicy: api\n")
        done = await here.refused("--yes")
        assert (done.code, "failoverctl check says why" in " ".join(done.err.split())) == (USAGE, True), done.err


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
        process = await here.start("api", "--yes", "--output", "json", "--for", "1h", "--rate", "20/s")
        async with asyncio.timeout(30):
            await here.asked.wait()
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    found = json.loads(done.out)
    assert (done.code, found["interrupted"]) == (INTERRUPTED, True), done.err
    assert found["regions"][0]["requests"] > 0
    assert "ended early" in done.err
    assert found["seconds"] < 30


# -- the page and the disk ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nosuch/page.html", "No such file or directory"),
        ("policies", "it is not a file"),
        ("/dev/full", "it is not a file"),
        ("failoverd.yaml/page.html", "Not a directory"),
    ],
)
async def test_a_page_that_cannot_be_written_is_refused_before_anything_is_sent(
    tmp_path: Path, place: str, why: str
) -> None:
    async with compared(tmp_path) as here:
        done = await here.refused("--yes", "--for", "1s", "--html", str(tmp_path / place))
        assert (done.code, done.out) == (FAILED, ""), done.err
        assert f"the page cannot be written to {tmp_path / place}: " in done.err
        assert f"{why} (page_unwritable)\nremedy: " in done.err
        assert here.near.connections == here.far.connections == 0


async def test_a_no_leaves_nothing_behind(tmp_path: Path) -> None:
    async with compared(tmp_path) as here:
        before = listing(tmp_path)
        done = await here.refused("--for", "1s", "--html", str(tmp_path / "page.html"))
        assert (done.code, listing(tmp_path)) == (USAGE, before), done.err


async def test_a_page_that_does_not_fit_on_the_disk_leaves_the_old_one_and_the_numbers(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("the page of yesterday")
    words = ("api", "--yes", "--for", "1s", "--rate", "5/s", "--output", "json", "--html", str(page))
    async with compared(tmp_path) as here:
        before = listing(tmp_path)
        done = await ended(await here.start(*words, largest_file=4_096))
    assert (done.code, "(page_unwritable)" in done.err) == (FAILED, True), done.err
    assert f"the page cannot be written to {page}: File too large" in done.err
    assert page.read_text() == "the page of yesterday"
    assert listing(tmp_path) == before
    assert [each["requests"] for each in json.loads(done.out)["regions"]] == [5, 5]


async def test_a_new_page_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    old, link = tmp_path / "old.html", tmp_path / "page.html"
    old.write_text("the page of yesterday")
    old.chmod(0o640)
    link.symlink_to(old)
    async with compared(tmp_path) as here:
        before = listing(tmp_path)
        done = await here.benchmark("--yes", "--for", "1s", "--html", str(link))
    assert done.code == FINE, done.err
    assert old.read_text().startswith("<!doctype html>")
    assert (link.is_symlink(), old.stat().st_mode & 0o777, listing(tmp_path)) == (True, 0o640, before)


@pytest.mark.parametrize("output", ["text", "json"])
async def test_a_full_disk_under_standard_output_is_named_and_the_page_is_there(tmp_path: Path, output: str) -> None:
    page = tmp_path / "page.html"
    words = ("api", "--yes", "--for", "1s", "--output", output, "--html", str(page))
    async with compared(tmp_path) as here:
        with full_disk() as full:
            done = await ended(await here.start(*words, stdout=full))
    assert done.code == FAILED, done.err
    assert "standard output (/dev/full) cannot be written: No space left on device (output_unwritable)" in done.err
    assert "remedy: " in done.err
    assert "internal_error" not in done.err
    assert "Exception ignored" not in done.err
    assert page.read_text().startswith("<!doctype html>")


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


async def test_completions_are_paid_from_the_allowance_that_the_daemon_has(tmp_path: Path) -> None:
    """One completion may cost 133 of the 400 tokens of a day: after the daemon's 134, two fit, and no third."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(inference_api(completion=streamed(delta("pong", "length"), DONE)))
        assert api.target is not None
        far = await stack.enter_async_context(serve(api.answer, FAR))
        here = write(tmp_path, api.target, far, INFERENCE)
        daemons = await stack.enter_async_context(open_journal(tmp_path / "journal.db"))
        assert await daemons.reserve("api/live", today, 134, 400)
        done = await here.benchmark("--yes", "--for", "2s", "--rate", "4/s", "--spend")
        assert done.code == FINE, done.err
        assert "out of the allowance that the daemon spends from" in done.err
        assert api.count("/v1/chat/completions") == 2
        assert "completions were left out: no tokens of the day's allowance were left" in " ".join(done.out.split())
        assert not await daemons.reserve("api/live", today, 1, 400)


async def test_two_at_once_do_not_overspend_together(tmp_path: Path) -> None:
    """Three completions of 133 tokens fit into 400, whoever asks for them."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(inference_api(completion=streamed(delta("pong", "length"), DONE)))
        assert api.target is not None
        far = await stack.enter_async_context(serve(api.answer, FAR))
        here = write(tmp_path, api.target, far, INFERENCE)
        words = ("--yes", "--for", "2s", "--rate", "4/s", "--spend")
        both = await asyncio.gather(here.benchmark(*words), here.benchmark(*words))
        assert [done.code for done in both] == [FINE, FINE], both
        assert api.count("/v1/chat/completions") == 3


async def test_a_journal_that_is_broken_is_begun_anew_and_that_is_told(tmp_path: Path) -> None:
    async with inference_api() as api, inference_api() as other:
        assert api.target is not None
        assert other.target is not None
        here = write(tmp_path, api.target, other.target, INFERENCE)
        (tmp_path / "journal.db").write_bytes(b"no database" * 1_000)
        done = await here.benchmark("--yes", "--for", "1s", "--spend")
    assert (done.code, done.err.count("(journal_corrupt)")) == (FINE, 1), done.err
    assert "begun anew" in done.err


async def test_without_the_journal_no_token_is_spent_and_nothing_is_sent(tmp_path: Path) -> None:
    async with inference_api() as api, inference_api() as other:
        assert api.target is not None
        assert other.target is not None
        here = write(tmp_path, api.target, other.target, INFERENCE)
        (tmp_path / "journal.db").mkdir()
        done = await here.benchmark("--yes", "--for", "1s", "--spend")
        assert (done.code, done.out, api.asked) == (FAILED, "", []), done.err
    assert "journal_not_a_file" in done.err
    assert "leave --spend out" in done.err


async def test_that_nothing_may_be_spent_is_not_said_to_be_a_spent_allowance(tmp_path: Path) -> None:
    async with inference_api() as api, inference_api() as other:
        assert api.target is not None
        assert other.target is not None
        here = write(tmp_path, api.target, other.target, INFERENCE)
        done = await here.benchmark("--yes", "--for", "1s")
    assert done.code == FINE, done.err
    assert "no completion is asked for: that takes --spend" in done.err
    assert "No completion was asked for: that takes --spend." in done.out
    assert "left out" not in done.out
    assert not (tmp_path / "journal.db").exists()
