"""A daemon at work hears operators: over its socket, by its own rights, and whatever else goes on."""

import os
import pwd
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.daemons import EMBEDDED, NAME, Site, site
from support.living import at_work, living
from support.servers import free_port

from failoverd.api.asked import AuditQuery, ReleaseAsked, ScopeAsked, WordAsked
from failoverd.api.client import ApiError, Client, DaemonUnreachableError, OnHost
from failoverd.core.events import (
    ApiFailed,
    ConfigRejected,
    Event,
    OverrideGiven,
    PolicyLoaded,
    TaskCrashed,
)
from failoverd.core.overrides import Verb

PATIENCE = 20.0
PAUSE = WordAsked(verb=Verb.PAUSE, scope=ScopeAsked(), reason="it burns", for_seconds=600)
DRAIN = WordAsked(verb=Verb.DRAIN, scope=ScopeAsked(regions=("west",)), reason="planned", for_seconds=600)


@asynccontextmanager
async def running(here: Site) -> AsyncIterator[tuple[Client, list[Event]]]:
    """A daemon at work, how it is asked, and what it told."""
    async with living(here) as life:
        await life.until(at_work)
        yield Client(OnHost(here.folder / "api.sock")), life.events


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, EMBEDDED) as made:
        yield made


async def test_a_word_is_heeded_shown_and_kept_over_a_restart(here: Site) -> None:
    async with running(here) as (client, events):
        given = await client.give(PAUSE)
        assert (given.kept, given.override.actor) == (True, f"{_user()}@{socket.gethostname()}")
        assert [event.override for event in events if isinstance(event, OverrideGiven)] == [given.override.id]
    async with running(here) as (client, _):
        (word,) = (await client.status()).overrides
        assert (word.id, word.state, word.comments[0].text) == (given.override.id, "in_force", "it burns")
        (asked,) = (await client.audit(AuditQuery())).requests
        assert (asked.status, asked.detail) == (200, given.override.id)
        await client.release_matching(ReleaseAsked(scope=ScopeAsked(), comment="it is out"))
        assert (await client.words()).overrides == ()


async def test_a_drain_says_what_it_does_to_each_record_and_what_would_be_left(here: Site) -> None:
    async with running(here) as (client, _):
        given = await client.give(DRAIN.model_copy(update={"dry_run": True}))
        (effect,) = given.effects
        assert (effect.target.record, effect.after_bp) == (NAME, {"east": 10_000})
        assert (await client.words()).overrides == ()
        with pytest.raises(ApiError) as refused:
            await client.give(DRAIN.model_copy(update={"scope": ScopeAsked(regions=("*",))}))
        with pytest.raises(ApiError, match="there is no rule 'two-clouds'"):
            await client.give(DRAIN.model_copy(update={"breaks": ("two-clouds",)}))
    assert (refused.value.status, refused.value.reason) == (422, "override_refused")


async def test_the_status_is_that_of_the_daemon_itself(here: Site) -> None:
    async with running(here) as (client, _):
        told = await client.status()
        assert told.daemon.state == "running"
        assert told.daemon.pid == os.getpid()
        assert {region.region for region in told.regions} == {"west", "east"}
        assert [target.target.record for target in told.targets] == [NAME]
        assert told.probing is not None


async def test_files_are_read_again_for_who_asks_and_on_a_signal(here: Site) -> None:
    async with running(here) as (client, events):
        here.edit_policy("fall: 3", "fall: 2")
        (here.folder / "policies" / "bad.yaml").write_text("version: 2\n")
        (refused,) = (await client.reload()).refused_files
        assert refused.file.endswith("bad.yaml")
        assert len([event for event in events if isinstance(event, PolicyLoaded)]) == 2
        assert any(isinstance(event, ConfigRejected) for event in events)
        here.edit_policy("version: 1", "version: 2")  # its older revision runs on
        files = [Path(each.file).name for each in (await client.reload()).refused_files]
        assert files == ["api.yaml", "bad.yaml"]
        os.kill(os.getpid(), signal.SIGHUP)
        assert (await client.status()).daemon.state == "running"


async def test_a_reload_and_the_status_say_that_a_file_of_tokens_was_not_taken_up(here: Site) -> None:
    """Whoever withdraws a token is not to believe that it does not work any more."""
    tokens = here.folder / "tokens"
    tokens.write_text("")
    here.config.write_text(
        f"{here.config.read_text()}api: {{tcp: {{listen: '127.0.0.1:{free_port()}', tokens_file: {tokens}}}}}\n"
    )
    async with running(here) as (client, _):
        assert (await client.reload()).refused_files == ()
        tokens.write_text("new read abc 2027-06-30\n")
        assert [each.file for each in (await client.reload()).refused_files] == [str(tokens)]
        assert [each.file for each in (await client.status()).refused_files] == [str(tokens)]
        tokens.write_text("")
        assert (await client.reload()).refused_files == ()
        assert (await client.status()).refused_files == ()


async def test_a_daemon_that_stopped_is_not_there(here: Site) -> None:
    async with running(here) as (client, _):
        pass
    with pytest.raises(DaemonUnreachableError):
        await client.words()


async def test_a_place_that_cannot_be_had_is_told_and_everything_else_goes_on(here: Site) -> None:
    (here.folder / "api.sock").write_text("somebody's")
    async with running(here) as (_, events):
        (failed,) = [event for event in events if isinstance(event, ApiFailed)]
        assert not [event for event in events if isinstance(event, TaskCrashed)]
    assert failed.listen.endswith("api.sock")


def _user() -> str:
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
