"""Whatever goes wrong for the operator is a line with a reason, no traceback, and stays with what it belongs to."""

import asyncio
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from support.accepting import accepting
from support.daemons import NAME, WEST, Site, provider_block, site
from support.forked import forked
from support.servers import DnsServer

from failoverd.api.planned import attempt_told
from failoverd.assembly import session
from failoverd.cli.plan_views import owned
from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.errors import FailoverdError
from failoverd.core.records import Observed, RecordSet, Target
from failoverd.operations.owning import adopt_record
from failoverd.operations.planning import apply_plans, make_plans
from failoverd.ports import Access, Provider, Urgency

FAILED, PENDING, INTERRUPTED = 1, 10, 130


class Defective:
    """A provider with a defect that nobody classified."""

    def __init__(self, inner: Provider) -> None:
        self._inner = inner

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:  # noqa: ARG002 - nothing is rationed here
        raise KeyError(f"a defect at {target}")

    def normalise(self, desired: RecordSet) -> RecordSet:
        return self._inner.normalise(desired)

    async def apply(self, approved: Approved) -> None:
        await self._inner.apply(approved)

    def manual(self, plan: Plan) -> str:
        return self._inner.manual(plan)


async def test_a_check_that_cannot_be_set_up_fails_its_own_policy_alone(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        other = here.policy.read_text().replace("policy: api", "policy: shop").replace(NAME, "shop.example.test")
        (here.policy.parent / "shop.yaml").write_text(other)
        here.edit_policy("{http: /health,", "{https: /health, ca_file: /nonexistent/ca.pem,")
        code, printed = await here.control("plan", "--output", "json")
        found = {told["target"]["policy"]: told for told in json.loads(printed)}
        assert (code, found["api"]["result"], found["shop"]["result"]) == (FAILED, "failed", "plan")
        assert found["api"]["reason"]
        assert found["api"]["remedy"]
        code, printed = await here.control("plan", "api")
        assert ("FAILED" in printed, "/nonexistent/ca.pem" in printed, "Traceback" in printed) == (True, True, False)


async def test_a_plan_that_cannot_be_written_to_its_file_is_told_before_anything_is_probed(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        code, printed = await here.control("plan", "--out", str(tmp_path / "nosuch" / "change.plan"))
        assert (code, "Traceback" in printed, "create" in printed) == (FAILED, False, False), printed
        assert "(plan_unwritable)" in printed
        assert "remedy: name a file in a directory that exists and that you may write" in printed


@pytest.mark.parametrize("words", [["plan"], ["status"], ["history"], ["why"]])
async def test_a_journal_that_cannot_be_there_is_named(
    bind_server: DnsServer, tmp_path: Path, words: list[str]
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.config.write_text(here.config.read_text().replace("journal.db", "policies/api.yaml/journal.db"))
        code, printed = await here.control(*words)
        assert (code, "Traceback" in printed, "(journal_" in printed) == (FAILED, False, True), printed
        assert "give the user that failoverd runs as the right" in printed


async def test_what_nobody_classified_stays_with_its_target_and_says_where_it_happened(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        async with session(here.config, Access.WRITE) as at_work:
            policy = at_work.policy("api")
            (sound,) = await make_plans(at_work, [policy], frozenset())
            assert sound.change is not None
            broken = replace(at_work, providers={"main": Defective(at_work.providers["main"])})
            (planned,) = await make_plans(broken, [policy], frozenset())
            (adoption,) = await adopt_record(broken, policy, NAME)
            (attempt,) = await apply_plans(broken, [sound.change])
        for result in (planned.error, adoption.result, attempt.result):
            assert isinstance(result, FailoverdError)
            assert result.reason == "internal_error"
            assert "KeyError" in result.detail
            assert "test_failures.py:" in result.detail
            assert result.remedy
        assert owned(adoption).startswith("failed: KeyError")
        assert attempt_told(attempt).summary.startswith("refused, nothing was changed: KeyError")
        assert bind_server.dig(NAME, "A") == []


async def test_adopting_one_target_does_not_wait_for_another_that_is_out_of_reach(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    dead = provider_block("dead", bind_server, server="127.0.0.1:1")
    async with site(tmp_path, {"dead": dead, "main": provider_block("main", bind_server)}) as here:
        bind_server.edit("add api 60 A 192.0.2.66")
        code, printed = await here.control("adopt", "api", NAME)
        assert code == FAILED, printed
        assert f"{NAME} A at dead: failed: " in printed
        assert f"{NAME} A at main: adopted, generation 1" in printed


async def test_ctrl_c_during_a_plan_ends_it_quietly(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("timeout: 10s", "timeout: 20s")
        here.edit_policy("every: 300ms", "every: 30s")
        await here.break_region("west")
        assert await interrupted_while_it_probes(here, "plan") == (INTERRUPTED, "")


async def interrupted_while_it_probes(here: Site, *words: str) -> tuple[int | None, str]:
    """How it ends, and what it prints, when Ctrl-C comes while a region keeps it waiting."""
    asked = asyncio.Event()

    async def keep_waiting(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with accepting(keep_waiting, WEST, here.port):
        process = await forked(
            *("failoverd.cli.operator", *words, "--config", str(here.config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(20):
            await asked.wait()
            os.kill(process.pid, signal.SIGINT)
            printed, _ = await process.communicate()
    return process.returncode, printed.decode()
