"""Files that change while the daemon runs: whatever is wrong with one of them, everything else goes on."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.alarms import until
from support.daemons import EMBEDDED, site
from support.files import INVENTORY, KINDS, LookSettings, policy
from support.reloading import playing

from failoverd.app import Daemon
from failoverd.core.errors import ConfigError
from failoverd.core.events import ConfigRejected, DaemonStarted, DaemonStopped, Event, PolicyLoaded, PolicyRemoved
from failoverd.core.records import Check, Policy
from failoverd.ports import Kinds, ProbeContext, ProbeKind, Prober
from failoverd.simulation.faults import Fault, Moment
from failoverd.telemetry import prose

PATIENCE = 10.0


# -- one policy at a time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ConfigError("no such file", reason="ca_file_unusable"), ValueError("a defect")])
async def test_what_keeps_one_policy_from_being_set_up_keeps_no_other(tmp_path: Path, error: Exception) -> None:
    async with playing(tmp_path) as scene:
        scene.write("a", "b", "c")
        scene.broken["b"] = error
        await scene.reloader.load()
        assert sorted(scene.runner.policies) == ["a", "c"]
        (rejected,) = scene.stage.told(ConfigRejected)
        assert (rejected.policy, Path(rejected.file).name, rejected.keeps) == ("b", "b.yaml", "")
        assert str(error) in rejected.errors[0]


async def test_rules_that_change_are_obeyed_without_a_restart(tmp_path: Path) -> None:
    rule = "rules:\n  - {name: both, assert: {at_least: 2, of: [east, west]}}\n"
    async with playing(tmp_path) as scene:
        scene.write("a")
        await scene.reloader.load()
        book = scene.stage.engine.tools.rulebook
        scene.files.write("regions.yaml", INVENTORY + rule)
        await scene.reloader.reload()
        assert [each.name for each in book.rules] == ["both"]
        scene.files.write("regions.yaml", INVENTORY + rule + "  - nothing\n")
        await scene.reloader.reload()
        assert [each.name for each in book.rules] == ["both"]
        scene.files.write("regions.yaml", INVENTORY)
        await scene.reloader.reload()
        assert book.rules == ()


async def test_planned_work_is_followed_as_the_files_say_it_now(tmp_path: Path) -> None:
    """A file that does not load plans what it planned before."""
    line = "  - {region: %s, cron: '0 0 * * *', for: 1h, reason: patches}\n"
    async with playing(tmp_path) as scene:
        scene.write("a")

        def planned() -> list[str]:
            return sorted(word.scope.text() for word in scene.stage.engine.words())

        scene.files.write("regions.yaml", INVENTORY + "maintenance:\n" + line % "east")
        await scene.reloader.load()
        assert set(planned()) == {"region east"}
        scene.files.write("regions.yaml", INVENTORY + "maintenance:\n" + line % "nowhere")
        scene.write("a", maintenance="\n" + line.replace("'0 0 * * *'", "'0 3 * * *'") % "west")
        await scene.reloader.reload()
        assert set(planned()) == {"region east"}
        scene.files.write("regions.yaml", INVENTORY)
        await scene.reloader.reload()
        assert set(planned()) == {"region west of policy a"}
        (tmp_path / "policies" / "a.yaml").write_text("policy: a\n")
        await scene.reloader.reload()
        assert set(planned()) == {"region west of policy a"}


async def test_a_revision_that_cannot_be_set_up_leaves_the_one_before_at_work(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        scene.write("a", "b")
        await scene.reloader.load()
        before = scene.runner.policies["b"]
        scene.broken["b"] = RuntimeError("a defect")
        scene.write("a", "b", health="{fall: 5}")
        await scene.reloader.reload()
        assert scene.runner.policies["a"].health.fall == 5
        assert scene.runner.policies["b"] == before
        (rejected,) = scene.stage.told(ConfigRejected)
        assert rejected.keeps == f"revision {before.source.revision} of policy b"
        assert {found.policy: found.rejected for found in scene.runner.overview()} == {"a": "", "b": rejected.errors[0]}


async def test_what_is_not_at_work_is_listed_until_it_is(tmp_path: Path) -> None:
    """A new policy that does not load, a copy of one that runs, one that cannot be set up: nothing else tells of it."""
    async with playing(tmp_path) as scene:
        scene.write("a", "b")
        scene.broken["b"] = ConfigError("no such file", reason="ca_file_unusable")
        scene.files.write("half.yaml", "version: 1\npolicy: half\n")
        scene.files.write("copy.yaml", policy("a", "a.example.net"))
        await scene.reloader.load()
        running = Path(scene.runner.policies["a"].source.file).name
        other = {"a.yaml", "copy.yaml"} - {running}
        refused = {Path(each.file).name: each.error for each in scene.reloader.status.refused}
        assert set(refused) == {"b.yaml", "half.yaml", *other}
        assert all(refused.values())

        scene.broken.clear()
        (tmp_path / "policies" / "half.yaml").unlink()
        for name in other:
            (tmp_path / "policies" / name).unlink()
        await scene.reloader.reload()
        assert scene.reloader.status.refused == ()


async def test_what_keeps_a_newer_revision_away_is_told_of_its_policy_alone(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        scene.write("a")
        await scene.reloader.load()
        scene.write("a", health="{fall: 0}")
        await scene.reloader.reload()
        assert scene.runner.overview()[0].rejected
        assert scene.reloader.status.refused == ()


async def test_a_policy_that_could_not_be_set_up_is_tried_again_and_said_once(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        scene.write("a", "b")
        scene.broken["b"] = ConfigError("no such file", reason="ca_file_unusable")
        await scene.reloader.load()
        assert scene.reloader.waits()
        assert not await scene.reloader.changed()
        await scene.reloader.retry()
        await scene.reloader.reload()
        assert scene.told(ConfigRejected) == ["b"]

        del scene.broken["b"]
        await scene.reloader.retry()
        assert not scene.reloader.waits()
        assert sorted(scene.told(PolicyLoaded)) == ["a", "b"]

        scene.broken["b"] = ConfigError("no such file", reason="ca_file_unusable")
        scene.write("b", health="{fall: 5}")
        await scene.reloader.reload()
        assert scene.told(ConfigRejected) == ["b", "b"]


async def test_a_policy_that_could_not_be_set_up_and_is_gone_is_not_tried_again(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        scene.write("a", "b")
        scene.broken["b"] = ConfigError("no such file", reason="ca_file_unusable")
        await scene.reloader.load()
        (tmp_path / "policies" / "b.yaml").unlink()
        await scene.reloader.reload()
        assert not scene.reloader.waits()
        assert scene.told(PolicyRemoved) == []


async def test_several_policies_are_halted_at_the_same_time(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        release = asyncio.Event()
        scene.stage.dns.on_read.extend([Fault(Moment.BEFORE, hold=release)] * 3)
        scene.write("a", "b", "c")
        await scene.reloader.load()
        await until(lambda: len(scene.stage.dns.reads) == 3)
        scene.write("a", "b", health="{fall: 5}")
        (tmp_path / "policies" / "c.yaml").unlink()
        reloading = asyncio.create_task(scene.reloader.reload())
        await until(lambda: not scene.runner.policies)  # all three are told to end before any of them has
        release.set()
        await reloading
        assert sorted(scene.runner.policies) == ["a", "b"]
        assert scene.told(PolicyRemoved) == ["c"]


async def test_a_defect_in_reading_the_files_is_said_and_stops_nothing(tmp_path: Path) -> None:
    def explode(settings: LookSettings) -> None:
        if settings.look == "/boom":
            raise RecursionError("a defect")

    async with playing(tmp_path, kinds_that(explode)) as scene:
        scene.write("a")
        await scene.reloader.load()
        scene.files.write("b.yaml", policy("b", "b.example.net").replace("/health", "/boom"))
        await scene.reloader.reload()
        await scene.reloader.reload()
        (rejected,) = scene.stage.told(ConfigRejected)
        assert "FD116" in rejected.errors[0]
        assert "(RecursionError)" in rejected.errors[0]
        assert list(scene.runner.policies) == ["a"]


async def test_files_are_read_beside_the_loop_and_only_what_changed_is_read_again(tmp_path: Path) -> None:
    read_in: list[threading.Thread] = []

    def note(_: LookSettings) -> None:
        read_in.append(threading.current_thread())

    async with playing(tmp_path, kinds_that(note)) as scene:
        scene.write("a", "b")
        await scene.reloader.load()
        assert len(read_in) == 2
        scene.write("a", health="{fall: 5}")
        await scene.reloader.reload()
        assert len(read_in) == 3
        assert threading.main_thread() not in [*read_in, *scene.equipped_in]


def kinds_that(do: Callable[[LookSettings], None]) -> Kinds:
    """The usual kinds, where `do` is called whenever a check is read."""

    class Watched(LookSettings):
        def model_post_init(self, _: Any, /) -> None:  # noqa: ANN401 - the signature of pydantic
            do(self)

    def never(check: Check, context: ProbeContext) -> Prober:
        raise AssertionError(f"reading files opened {check} for {context.policy}")

    return replace(KINDS, probes={"look": ProbeKind("look", Watched, never)})


# -- the directory -----------------------------------------------------------------------------------------------------


async def test_a_directory_without_policies_is_said_once_at_a_start_and_at_a_reload(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        directory = tmp_path / "policies"
        await scene.reloader.load()
        await scene.reloader.reload()
        (rejected,) = scene.stage.told(ConfigRejected)
        assert (rejected.file, rejected.policy) == (str(directory), "")
        assert "there is no policy file" in prose.say(rejected)

        scene.write("a", "b")
        await scene.reloader.reload()
        directory.rename(tmp_path / "away")
        await scene.reloader.reload()
        await scene.reloader.reload()
        _, again = scene.stage.told(ConfigRejected)
        assert (again.file, again.keeps) == (str(directory), "every policy that runs")
        assert sorted(scene.runner.policies) == ["a", "b"]
        assert all(found.rejected == again.errors[0] for found in scene.runner.overview())

        (tmp_path / "away").rename(directory)
        await scene.reloader.reload()
        assert {found.rejected for found in scene.runner.overview()} == {""}


async def test_a_first_start_without_policies_says_so_and_takes_them_up_when_they_come(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        text = here.policy.read_text()
        here.policy.unlink()
        async with here.daemon() as daemon:
            rejected = await daemon.event("config.rejected", file=str(here.policy.parent))
            assert "FD114" in rejected["errors"][0]
            await daemon.event("daemon.started")
            here.policy.write_text(text)
            await daemon.event("policy.loaded", policy="api")
            assert len(daemon.named("config.rejected")) == 1


# -- the daemon --------------------------------------------------------------------------------------------------------


async def test_an_authority_that_appears_lets_its_policy_run_though_no_policy_file_changed(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        authority = tmp_path / "ca.pem"
        here.edit_policy("{http: /health,", f"{{https: /health, ca_file: {authority},")
        async with here.daemon() as daemon:
            rejected = await daemon.event("config.rejected", policy="api")
            assert "ca_file" in rejected["errors"][0]
            trustme.CA().cert_pem.write_to_path(str(authority))
            await daemon.event("policy.loaded", policy="api")
            assert len(daemon.named("config.rejected")) == 1


class Gated(Daemon):
    """A daemon that sets no check up before the gate opens."""

    gate = threading.Event()
    waiting = 0

    def _equip(self, policy: Policy) -> dict[str, Prober]:
        self.waiting += 1
        assert self.gate.wait(PATIENCE)
        return super()._equip(policy)


@asynccontextmanager
async def gated(root: Path) -> AsyncIterator[tuple[Gated, list[Event], asyncio.Task[None]]]:
    """It runs, with policy `api`; from now on the gate is shut."""
    async with site(root, EMBEDDED) as here:
        events: list[Event] = []
        daemon = Gated(here.config, [events.append])
        daemon.gate = threading.Event()
        daemon.gate.set()
        life = asyncio.create_task(daemon.run())
        try:
            await until(lambda: life.done() or any(isinstance(event, DaemonStarted) for event in events))
            daemon.gate.clear()
            daemon.waiting = 0
            yield daemon, events, life
        finally:
            daemon.gate.set()
            daemon.stop("the test is over")
            await life


def revise(root: Path, ttl: int) -> None:
    path = root / "policies" / "api.yaml"
    text = path.read_text()
    assert "ttl: 5s" in text
    path.write_text(text.replace("ttl: 5s", f"ttl: {ttl}s"))


async def test_a_second_sighup_during_a_reload_loses_neither(tmp_path: Path) -> None:
    async with gated(tmp_path) as (daemon, events, _):
        revise(tmp_path, 7)
        daemon._reload_soon()
        await until(lambda: daemon.waiting)
        daemon._reload_soon()
        gc.collect()
        first, second = list(daemon._jobs)
        daemon.gate.set()
        await asyncio.gather(first, second)
        assert len([event for event in events if isinstance(event, PolicyLoaded)]) == 2
        assert not daemon._jobs


async def test_a_stop_during_a_reload_waits_for_its_end(tmp_path: Path) -> None:
    async with gated(tmp_path) as (daemon, events, life):
        revise(tmp_path, 7)
        daemon._reload_soon()
        await until(lambda: daemon.waiting)
        daemon._reload_soon()
        daemon.stop("SIGTERM")
        daemon.gate.set()
        await life
        loaded, stopped = [event for event in events if isinstance(event, PolicyLoaded | DaemonStopped)][-2:]
        assert isinstance(loaded, PolicyLoaded)
        assert isinstance(stopped, DaemonStopped)
        assert len([event for event in events if isinstance(event, PolicyLoaded)]) == 2
