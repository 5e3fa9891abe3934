"""An operator speaks to a daemon at work, by `failoverctl`: what is understood, what is refused, what is shown."""

import json
import re
import socket
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from support.approving import limits
from support.commands import answered, failoverctl, written
from support.consoles import TRIO, console
from support.scenes import TARGET

from failoverd.api import client as clients
from failoverd.cli.options import Exit
from failoverd.cli.words import asking
from failoverd.config.locating import socket_of
from failoverd.core.overrides import Scope, Verb
from failoverd.core.records import RampRules
from failoverd.core.status import PlannedWork, RefusedFile
from failoverd.operations.commanding import Undoable
from failoverd.store.journal import open_journal
from failoverd.telemetry.phrases import moment

RECORD = "api.example.com A at dns-main"


# -- what is meant -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "verb", "scope"),
    [
        (["drain", "azure"], Verb.DRAIN, Scope(regions=("azure",))),
        (["drain", "az*"], Verb.DRAIN, Scope(regions=("az*",))),
        (["drain", "azure", "aws"], Verb.DRAIN, Scope(regions=("azure", "aws"))),
        (["drain", "--cloud", "cloud-azure"], Verb.DRAIN, Scope(clouds=("cloud-azure",))),
        (["drain", "192.0.2.10"], Verb.DRAIN, Scope(endpoints=("192.0.2.10",))),
        (["drain", "azure/192.0.2.10"], Verb.DRAIN, Scope(endpoints=("azure/192.0.2.10",))),
        (["drain", "--endpoint", "192.0.2.10"], Verb.DRAIN, Scope(endpoints=("192.0.2.10",))),
        (
            ["drain", "azure", "--policy", "inference-*", "--record", "API.example.com."],
            Verb.DRAIN,
            Scope(policies=("inference-*",), records=("api.example.com",), regions=("azure",)),
        ),
        (["shed", "azure", "25%"], Verb.SHED, Scope(regions=("azure",))),
        (["shed", "--cloud", "cloud-azure", "25%"], Verb.SHED, Scope(clouds=("cloud-azure",))),
        (["pin", "inference-api", "azure=60,oci=40"], Verb.PIN, Scope(policies=("inference-api",))),
        (["pin", "api.example.com", "azure=60%,oci=40%"], Verb.PIN, Scope(records=("api.example.com",))),
        (["pin", "--policy", "inference-api", "azure=100"], Verb.PIN, Scope(policies=("inference-api",))),
        (["hold", "inference-api"], Verb.HOLD, Scope(policies=("inference-api",))),
        (["hold", "api.example.com"], Verb.HOLD, Scope(records=("api.example.com",))),
        (["pause", "inference-api"], Verb.PAUSE, Scope(policies=("inference-api",))),
        (["pause", "--all"], Verb.PAUSE, Scope()),
        (["down", "azure/192.0.2.10"], Verb.DOWN, Scope(endpoints=("azure/192.0.2.10",))),
        (["up", "192.0.2.10"], Verb.UP, Scope(endpoints=("192.0.2.10",))),
        (["switch", "release-freeze"], Verb.SWITCH, Scope()),
        (["practice", "start", "azure"], Verb.PRACTICE, Scope(regions=("azure",))),
        (
            ["practice", "start", "azure", "--policy", "inference-api"],
            Verb.PRACTICE,
            Scope(policies=("inference-api",), regions=("azure",)),
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_names_are_understood_by_what_there_is(
    tmp_path: Path, words: list[str], verb: Verb, scope: Scope
) -> None:
    async with console(tmp_path) as here:
        told = await here.said(*words)
        assert told.code == Exit.FINE, told.said
        (word,) = here.crew.words()
        assert (word.verb, word.scope, word.reason) == (verb, scope, "racks")
        assert word.until - word.since == pytest.approx(3_600.0)


async def test_what_more_is_said_of_a_word_reaches_the_daemon(tmp_path: Path) -> None:
    async with console(tmp_path, people=lambda rules: 2 if rules else 1) as here:
        await here.said("drain", "azure", "--over", "10m", "--approve-with", "two-clouds", "--approve-with", "freeze")
        await here.said("shed", "oci", "12.5%", "--now")
        drain, shed = here.crew.words()
        assert (drain.over, drain.breaks, drain.needed) == (600.0, ("two-clouds", "freeze"), 2)
        assert (shed.part, shed.now) == (1_250, True)


# -- what cannot be meant ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["drain", "azrue"], "there is no region or endpoint 'azrue'; did you mean \"azure\"?"),
        (["drain", "gcp-*"], "there is no region or endpoint 'gcp-*'"),
        (["drain", "cloud-azure"], "it is a cloud: --cloud cloud-azure"),
        (["drain", "inference-api"], "it is a policy: --policy inference-api"),
        (
            ["drain", "azure", "--policy", "inference-ap"],
            "there is no policy 'inference-ap'; did you mean \"inference-api\"?",
        ),
        (["drain", "--cloud", "azure"], "there is no cloud 'azure'"),
        (["drain"], "say what is to be drained"),
        (["drain", "--policy", "inference-api"], "say what is to be drained"),
        (["drain", "a\x00b"], "there is no region or endpoint 'a\\x00b'"),
        (["drain", "\x1b[2J"], "there is no region or endpoint"),
        (["drain", "x" * 1_000_000], "no name has more than 260"),
        (["shed", "azure"], "say what is to be shed, and how much of it"),
        (["shed", "azure", "25"], "'25' is not how much is to leave"),
        (["shed", "azure", "100%"], "'100%' is not how much is to leave"),
        (["shed", "azure", "0%"], "'0%' is not how much is to leave"),
        (["pin", "inference-api", "azure=60,oci=41"], "these make 101%"),
        (["pin", "inference-api", "azure=60,azure=40"], "azure has two shares"),
        (["pin", "inference-api", "azure"], "'azure' is not a share"),
        (["pin", "inference-api", "azure=nan,oci=40"], "'azure=nan' is not a share"),
        (
            ["pin", "inference-api", "azrue=100"],
            "there is no region in policy inference-api 'azrue'; did you mean \"azure\"?",
        ),
        (["pin", "azure", "azure=100"], "there is no policy or record 'azure'"),
        (["pin", "inference-api"], "say what is pinned"),
        (["hold"], "say what is to be left as it is"),
        (["pause"], "say what is to be paused"),
        (["pause", "inference-api", "--all"], "say what is to be paused"),
        (["up", "192.0.2.99"], "there is no endpoint '192.0.2.99'"),
        (["down"], "say which endpoint is down"),
        (["switch", "a b"], "'a b' is not the name of a switch"),
        (["switch", "freeze", "--off"], "there is no switch that is on 'freeze'"),
        (["approve", "a/b"], "'a/b' is not the digest of a plan"),
        (["extend", "drain-00000000"], "there is no override"),
        (["undo", "chg-9"], "the journal knows no change"),
    ],
    ids=lambda value: " ".join(value)[:40].encode("unicode_escape").decode() if isinstance(value, list) else None,
)
async def test_what_cannot_be_meant_is_said_with_what_may_be(tmp_path: Path, words: list[str], says: str) -> None:
    async with console(tmp_path) as here:
        more = ["--reason", "racks", *(["--for", "1h"] if words[0] != "approve" else [])]
        told = await here.failoverctl(*words, *more)
        assert (told.code, says in " ".join(told.err.replace("\u2502", " ").split())) == (Exit.USAGE, True), told.said
        assert len(told.said) < 2_000
        assert here.crew.words() == ()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--for", "1h"], "say why: --reason TEXT"),
        (["--reason", "  ", "--for", "1h"], "say why: --reason TEXT"),
        (["--reason", "a\x00b", "--for", "1h"], "one line of printable characters"),
        (["--reason", "x" * 501, "--for", "1h"], "at most 500 characters"),
        (["--reason", "racks"], "say for how long: --for TIME, such as 45m or 2h, at most 72h"),
        (["--reason", "racks", "--for", "73h"], "at most 72h"),
        (["--reason", "racks", "--for", "500ms"], "1s at least"),
        (["--reason", "racks", "--for", "soon"], "is not a duration"),
    ],
)
@pytest.mark.parametrize("verb", [["drain", "west"], ["hold", "shop"], ["undo"], ["switch", "freeze"]], ids=" ".join)
def test_why_and_for_how_long_are_asked_for_before_anybody_is(
    tmp_path: Path, verb: list[str], words: list[str], says: str
) -> None:
    told = failoverctl(*verb, *words, "--config", written(tmp_path))
    assert (told.code, says in " ".join(told.err.split())) == (Exit.USAGE, True), told.said


# -- what is shown -----------------------------------------------------------------------------------------------------


async def test_a_drain_shows_what_it_does_and_how_to_take_it_back(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        told = await here.said("drain", "azure", "--now")
        (word,) = here.crew.words()
        first, head, row, back = told.out.decode().splitlines()
        assert first.startswith("drain of region azure, until ")
        assert first.endswith("(1h left)")
        assert head.split() == ["record", "from", "to", "in", "the", "way"]
        assert row.split("  ") == ["", RECORD, "azure 70%, oci 30%", "oci 100%", "-"]
        assert back == f"take it back: failoverctl release {word.id}"
        assert here.story.published == {"oci": 100.0}


async def test_a_dry_run_shows_it_and_what_is_in_the_way_and_changes_nothing(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        await here.said("pause", "--all")
        told = await here.said("drain", "azure", "--dry-run")
        printed = told.out.decode()
        assert printed.startswith("would be given: drain of region azure")
        assert "azure 70%, oci 30%" in printed
        assert "note: nothing moves for it before pause-" in printed
        assert printed.endswith("nothing was changed (--dry-run)\n")
        assert len(here.crew.words()) == 1


async def test_rates_in_the_way_are_said_with_the_way_to_meet_none(tmp_path: Path) -> None:
    async with console(tmp_path, replace(TRIO, limits=limits(max_shift=2_000, shift_window=300.0))) as here:
        dry = (await here.said("drain", "azure", "--dry-run")).said
        assert "To move at once: the same with --now" in dry
        told = (await here.said("drain", "azure")).said
        (word,) = here.crew.words()
        assert f"To move at once: failoverctl release {word.id}; then the same with --now" in told
        await here.failoverctl("release", word.id)
        assert "Not to wait" not in (await here.said("drain", "azure", "--now")).said
        assert here.story.published == {"oci": 100.0}


async def test_with_wait_a_change_that_nobody_can_confirm_is_waited_for_no_longer_and_not_called_verified(
    tmp_path: Path,
) -> None:
    async with console(tmp_path) as here:
        here.crew.confirmed = False
        told = await here.said("drain", "azure", "--now", "--wait")
        assert told.code == Exit.FINE
        assert told.out.decode().splitlines()[-2] == f"done: 1 record as wanted now; confirmed by nobody: {RECORD}"


async def test_with_wait_it_ends_when_it_is_verified_and_says_how_many_clients_are_left(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        told = await here.said("drain", "azure", "--now", "--wait")
        done, clients = told.out.decode().splitlines()[-2:]
        assert (told.code, done) == (Exit.FINE, "done: 1 record as wanted now, and verified")
        assert clients.startswith(f"  {RECORD}: about ")
        assert clients.endswith("11% after 30s, 2% after 15 min (a lower TTL does not shorten the tail)")


async def test_json_is_what_the_daemon_answered(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        given = json.loads((await here.said("drain", "azure", "--now", "--wait", "--output", "json")).out)
        assert (given["schema"], given["override"]["verb"], given["override"]["state"]) == (1, "drain", "in_force")
        assert given["effects"][0]["after_bp"] == {"oci": 10_000}
        (clients,) = given["clients"]
        assert (clients["target"]["record"], 9_000 < clients["still_old_bp"] <= 10_000) == ("api.example.com", True)
        listed = json.loads((await here.failoverctl("overrides", "--output", "json")).out)
        assert [each["id"] for each in listed["overrides"]] == [given["override"]["id"]]
        released = json.loads(
            (await here.failoverctl("release", given["override"]["id"], "--reason", "done", "--output", "json")).out
        )
        assert [each["ended_by"] != "" for each in released["released"]] == [True]


async def test_the_list_says_all_of_it_in_words(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        assert (
            await here.failoverctl("overrides")
        ).out.decode() == "no overrides: failoverd does what its policies say\n"
        await here.said("shed", "azure", "25%")
        (word,) = here.crew.words()
        await here.failoverctl("extend", word.id, "--for", "2h", "--reason", "takes longer")
        told = (await here.failoverctl("overrides", "-v")).out.decode()
        first, second, third, given, extended = told.splitlines()
        assert first == f"{word.id}  shed of region azure (by 25%)"
        assert second.startswith("  in force until ")
        assert second.endswith("(2h left)")
        assert third.endswith(": racks")
        assert (given.endswith(": racks"), extended.endswith(": takes longer")) == (True, True)
        assert len((await here.failoverctl("overrides")).out.decode().splitlines()) == 3


async def test_the_list_is_there_with_the_daemon_dead(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        await here.said("drain", "azure")
        (word,) = here.crew.words()
        config = here.config
    async with open_journal(tmp_path / "journal.db") as journal:
        await journal.say(word)
    told = await answered("overrides", "--config", config)
    assert (told.code, told.err.startswith("note: from the journal, ")) == (Exit.FINE, True), told.said
    assert told.out.decode().startswith(f"{word.id}  drain of region azure\n  in force until ")


@pytest.mark.parametrize(
    "words", [["extend", "ID", "--for", "2h"], ["release", "ID"], ["release", "--all"]], ids=" ".join
)
async def test_what_is_there_already_is_changed_without_a_reason(tmp_path: Path, words: list[str]) -> None:
    async with console(tmp_path) as here:
        await here.said("drain", "azure")
        (word,) = here.crew.words()
        told = await here.failoverctl(*(word.id if each == "ID" else each for each in words))
        assert told.code == Exit.FINE, told.said
        assert [each.text for each in here.crew.words()[0].comments] == ["racks", "no reason was given"]


async def test_that_the_journal_does_not_keep_it_is_noted(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        here.crew.kept = False
        told = await here.said("hold", "inference-api")
        assert told.code == Exit.FINE
        assert "note: it is heeded, but the journal does not work" in told.err
        assert "unless other members do" in " ".join(told.err.split())


# -- what stands against it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (["drain", "azure"], ["drain", "azure"], "stands against drain-"),
        (["pin", "inference-api", "azure=100"], ["pin", "api.example.com", "oci=100"], "stands against pin-"),
        (["drain", "azure"], ["drain", "oci", "aws"], "every region is drained"),
        (["drain", "azure", "oci"], ["pin", "inference-api", "azure=100"], "keeps traffic away from azure"),
    ],
)
async def test_what_stands_against_another_word_or_a_rule_is_refused_with_the_reason(
    tmp_path: Path, first: list[str], second: list[str], says: str
) -> None:
    async with console(tmp_path) as here:
        assert (await here.said(*first)).code == Exit.FINE
        told = await here.said(*second)
        assert (told.code, says in told.err, "remedy: " in told.err) == (Exit.LIMITED, True, True), told.said
        assert len(here.crew.words()) == 1


async def test_a_daemon_that_is_stopped_is_told_of_while_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "SILENCE", 0.01)
    config = written(tmp_path / "here")
    with socket.socket(socket.AF_UNIX) as stopped:  # takes what is sent, and is never heard
        stopped.bind(str(socket_of(config)))
        stopped.listen()
        monkeypatch.setattr(asking, "Client", partial(clients.Client, patience=0.3))
        told = await answered("pause", "--all", "--reason", "x", "--for", "1h", "--config", config)
    assert told.code == Exit.UNREACHABLE
    assert told.err.count("the daemon has not answered yet") == 1
    note, failed = told.err.splitlines()[0], told.err.splitlines()[1]
    assert note.startswith("note: the daemon has not answered yet: it is stopped, or very busy.")
    assert "then this command fails, and what it asked for is not done unless it had begun" in note
    assert "did not answer within 0.3s (daemon_slow)" in failed


def test_without_a_daemon_it_is_said_which_way_works(tmp_path: Path) -> None:
    told = failoverctl("drain", "west", "--reason", "racks", "--for", "1h", "--config", written(tmp_path))
    assert told.code == Exit.UNREACHABLE
    for words in ("no daemon is heard at", "start it", "failoverctl plan --out FILE", "failoverctl apply FILE"):
        assert words in " ".join(told.err.split())


# -- taking back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "selectors",
    [["azure"], ["--region", "azure"], ["--verb", "drain"], ["--all"], ["ID"]],
    ids=" ".join,
)
async def test_a_word_is_released_by_its_id_or_by_what_it_is_about(tmp_path: Path, selectors: list[str]) -> None:
    async with console(tmp_path) as here:
        await here.said("drain", "azure", "--now")
        (word,) = here.crew.words()
        named = [word.id if each == "ID" else each for each in selectors]
        told = await here.failoverctl("release", *named, "--reason", "racks are done")
        assert told.code == Exit.FINE, told.said
        assert f"released: {word.id}  drain of region azure" in told.out.decode()
        (over,) = here.crew.words()
        assert over.comments[-1].text == "racks are done"
        assert over.over_by(over.ended_at or 0.0)


async def test_with_wait_a_release_ends_when_everything_is_back(tmp_path: Path) -> None:
    async with console(tmp_path, replace(TRIO, failback_after=0.0, limits=limits())) as here:
        await here.said("drain", "azure", "--now")
        told = await here.failoverctl("release", "azure", "--reason", "done", "--wait")
        assert told.code == Exit.FINE, told.said
        _, done, clients, _, row = told.out.decode().splitlines()
        assert done == "done: 1 record as wanted now, and verified"
        assert clients.startswith(f"  {RECORD}: about ")
        assert row.split() == [*RECORD.split(), "azure", "70%,", "oci", "30%", "stays", "-"]
        assert here.story.published == {"azure": 70.0, "oci": 30.0}


async def test_with_wait_a_release_says_what_is_left_where_a_hold_keeps_it_away(tmp_path: Path) -> None:
    """All that is wanted is there, and yet the region that was released is not."""
    async with console(tmp_path, replace(TRIO, failback_after=3_600.0, limits=limits())) as here:
        here.story.look(azure="U")
        await here.said("drain", "azure", "--now", "--policy", "inference-api")
        here.story.look(azure="H")
        told = await here.failoverctl("release", "azure", "--wait")
        assert (told.code, here.story.published) == (Exit.FINE, {"oci": 100.0})
        _, done, *_, left, _head, _row = told.out.decode().splitlines()
        assert done == "done: 1 record as wanted now, and verified"
        still = rf"  still to come at {RECORD}: azure has been well for \d+s of the 3600s before it gets traffic"
        assert re.fullmatch(still, left)


async def test_a_drill_that_is_on_is_listed_with_its_end_and_the_command_that_ends_it(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        await here.said("practice", "start", "azure")
        told = await here.failoverctl("practice")
        first, who, how, *_ = told.out.decode().splitlines()
        assert re.fullmatch(r"practice: region azure is away since .*Z, until \S+Z \(\S.* left\)", first), told.said
        assert (who.endswith(": racks"), how) == (True, "  to end it: failoverctl practice stop")
        listed = json.loads((await here.failoverctl("practice", "--output", "json")).out)
        assert [each["about"] for each in listed["on"]] == ["region azure"]
        told = await here.failoverctl(*how.removeprefix("  to end it: failoverctl ").split())
        assert told.code == Exit.FINE, told.said
        assert json.loads((await here.failoverctl("practice", "--output", "json")).out)["on"] == []


async def test_where_no_drill_is_on_there_is_none_to_stop(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        told = await here.failoverctl("practice", "stop")
        assert (told.code, told.err.splitlines()[0]) == (Exit.USAGE, "failed: no drill is on (override_unknown)")
        assert "no file plans one" in told.err
        assert "--lost" not in told.err


async def test_and_the_next_one_that_a_file_plans_is_told(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        since = time.time() + 3 * 86_400
        drill = PlannedWork("practice-7", "region azure", "policies/api.yaml:12", "weekly", since, since + 1_800)
        here.crew.planned = (drill,)
        told = await here.failoverctl("practice", "stop", "azure")
        assert told.err.startswith("failed: no drill of region azure is on (override_unknown)")
        assert f"the next one begins at {moment(since)}: region azure, by policies/api.yaml:12" in told.err


async def test_what_is_released_comes_back_by_the_ramp_and_with_now_in_one_step(tmp_path: Path) -> None:
    ramp = replace(TRIO, failback_after=0.0, limits=limits(), ramp=RampRules())
    for name in ("steps", "once"):
        (tmp_path / name).mkdir()
    async with console(tmp_path / "steps", ramp) as here:
        await here.said("drain", "azure", "--now")
        told = await here.failoverctl("release", "azure", "--wait")
        assert (told.code, here.story.published) == (Exit.FINE, {"azure": 7.0, "oci": 93.0}), told.said
        assert "azure is returning: step 1 of 4, 10% of 70%; next at" in told.out.decode()
    async with console(tmp_path / "once", ramp) as here:
        await here.said("drain", "azure", "--now")
        told = await here.failoverctl("release", "azure", "--now", "--wait")
        assert (told.code, here.story.published) == (Exit.FINE, {"azure": 70.0, "oci": 30.0}), told.said


@pytest.mark.parametrize(
    ("selectors", "code", "says"),
    [
        ([], Exit.USAGE, "say what is to be released"),
        (["oci"], Exit.USAGE, "there is no override about region oci to release"),
        (["drain-00000000"], Exit.USAGE, "there is no override 'drain-00000000'"),
        (["azrue"], Exit.USAGE, 'did you mean "azure"?'),
        (["--verb", "drian"], Exit.USAGE, "there is no kind of override 'drian'; did you mean \"drain\"?"),
        (["--lost"], Exit.USAGE, "no marker of everything names an override"),
        (["--rival"], Exit.USAGE, "no other instance writes the names of everything"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_what_cannot_be_released_is_said(tmp_path: Path, selectors: list[str], code: Exit, says: str) -> None:
    async with console(tmp_path) as here:
        await here.said("drain", "azure")
        told = await here.failoverctl("release", *selectors, "--reason", "done")
        assert (told.code, says in " ".join(told.err.split())) == (code, True), told.said


async def test_a_word_about_what_is_gone_can_be_released_by_what_it_said(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        await here.said("drain", "az*")
        told = await here.failoverctl("release", "az*", "--reason", "done")
        assert told.code == Exit.FINE, told.said


async def test_what_is_over_is_not_released_again(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        await here.said("drain", "azure")
        (word,) = here.crew.words()
        await here.failoverctl("release", word.id, "--reason", "done")
        told = await here.failoverctl("release", word.id, "--reason", "done")
        assert (told.code, "is over: it was released by" in told.err) == (Exit.FAILED, True), told.said


async def test_a_change_is_taken_back_by_a_pin_to_the_shares_of_before(tmp_path: Path) -> None:
    change = Undoable("chg-1", TARGET, {"azure": 6_000, "oci": 4_000}, {"azure": 7_000, "oci": 3_000})
    async with console(tmp_path, change=change) as here:
        told = await here.said("undo")
        (word,) = here.crew.words()
        assert (word.undoes, dict(word.shares)) == ("chg-1", {"azure": 6_000, "oci": 4_000})
        assert (
            "pin of record api.example.com of policy inference-api (azure 60%, oci 40%, which undoes chg-1)"
            in told.said
        )
        assert here.story.published == {"azure": 60.0, "oci": 40.0}


async def test_a_switch_is_turned_off_by_its_name(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        await here.said("switch", "freeze")
        await here.said("switch", "other")
        told = await here.failoverctl("switch", "freeze", "--off", "--reason", "released")
        assert told.code == Exit.FINE, told.said
        assert [word.ended_at is not None for word in here.crew.words()] == [True, False]


async def test_a_plan_that_a_limit_holds_is_let_through_by_its_digest(tmp_path: Path) -> None:
    async with console(tmp_path, replace(TRIO, limits=limits(max_changes=1))) as here:
        await here.said("pin", "inference-api", "azure=60,oci=40")
        await here.failoverctl("release", "--all", "--reason", "done")
        told = await here.said("pin", "inference-api", "azure=50,oci=50")
        assert "max_changes" in told.out.decode().splitlines()[2]
        held = here.crew.previews("inference-api")[0][1](here.crew.words()).held
        assert held is not None
        told = await here.failoverctl("approve", "0badcafe", "--reason", "it is right")
        assert (told.code, "no plan '0badcafe' is held now" in told.err) == (Exit.LIMITED, True), told.said
        told = await here.failoverctl("approve", held.plan.digest, "--reason", "it is right", "--wait")
        assert told.code == Exit.FINE, told.said
        assert here.story.published == {"azure": 50.0, "oci": 50.0}


async def test_a_word_that_takes_two_people_says_so_and_the_same_one_counts_once(tmp_path: Path) -> None:
    async with console(tmp_path, people=lambda rules: 2 if rules else 1) as here:
        told = await here.said("drain", "azure", "--approve-with", "two-clouds")
        (word,) = here.crew.words()
        assert f"waits for 1 more to agree (failoverctl agree {word.id})" in told.said
        told = await here.failoverctl("agree", word.id, "--reason", "fine")
        assert (told.code, "gave or agreed to" in told.err) == (Exit.LIMITED, True)


# -- reading, beside it ------------------------------------------------------------------------------------------------


async def test_a_reload_ends_when_it_is_done_and_says_what_did_not_load(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        told = await here.failoverctl("reload")
        assert (told.code, told.said) == (Exit.FINE, "every file was read again, and is at work\n")
        here.refused.append(RefusedFile("policies/shop.yaml", "FD201 line 3: \x1b[2J is not a policy"))
        told = await here.failoverctl("reload")
        assert told.code == Exit.FAILED
        assert told.said.startswith("not loaded: policies/shop.yaml: FD201 line 3: ")
        here.refused[:] = [RefusedFile("policies/shop.yaml", "error FD201: unknown key", "policies/shop.yaml:28:1")]
        told = await here.failoverctl("reload")
        assert told.said.startswith("not loaded: policies/shop.yaml:28:1: error FD201: unknown key"), "its file once"
        assert "what ran before goes on; failoverctl check says what is wrong" in told.said
        assert "\x1b" not in told.said
        told = await here.failoverctl("reload", "--output", "json")
        assert (told.code, [each["file"] for each in json.loads(told.out)["refused_files"]]) == (
            1,
            ["policies/shop.yaml"],
        )
    told = await answered("reload", "--config", tmp_path / "failoverd.yaml")
    assert (told.code, "no daemon is heard at" in told.said) == (Exit.UNREACHABLE, True), told.said


async def test_a_reload_says_what_is_at_work_and_soon_of_no_use(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        here.warned.append(RefusedFile("/etc/failoverd/api.pem", "it expires in 2 d"))
        told = await here.failoverctl("reload")
    assert (told.code, told.said) == (
        Exit.FINE,
        "at work, but: /etc/failoverd/api.pem: it expires in 2 d\nevery file was read again, and is at work\n",
    )


async def test_a_reload_says_what_waits_for_a_restart(tmp_path: Path) -> None:
    """The daemon's own file was read, and is not at work: whoever changed it would wait for it in vain."""
    async with console(tmp_path) as here:
        here.deferred += ["metrics", "api"]
        told = await here.failoverctl("reload")
    assert told.code == Exit.FINE
    assert told.said == (
        "every file was read again, and the policies are at work\n"
        "takes effect at the next restart, which moves no traffic: metrics, api of the daemon's own file\n"
    )


async def test_status_asks_the_daemon_and_says_what_operators_said(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        await here.said("drain", "azure")
        told = await here.failoverctl("status", "--verbose")
        assert (told.code, told.err) == (Exit.MOVED, "")
        assert "1 override: drain of region azure by " in told.out.decode().splitlines()[0]
        assert "  it is about 1 record: api.example.com A at dns-main" in told.out.decode()
        said = json.loads((await here.failoverctl("status", "--output", "json")).out)
        assert (said["schema"], said["source"]["from"]) == (1, "daemon")
        assert said["overrides"][0]["records"] == [RECORD]


async def test_status_falls_back_to_the_journal_and_says_so_with_its_age(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        config = here.config
    told = await answered("status", "--config", config)
    assert told.code == Exit.UNREACHABLE
    assert "note: from the journal, which no daemon has used yet: no daemon is heard at" in told.err
    said = json.loads((await answered("status", "--output", "json", "--config", config)).out)
    assert said["source"] == {"from": "journal", "at": None}


async def test_history_and_why_ask_the_daemon_too(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        told = await here.failoverctl("history", "--output", "json")
        assert (json.loads(told.out)["source"]["from"], told.err) == ("daemon", "")
        told = await here.failoverctl("history", "--policy", "nope")
        assert (told.code, "there is no policy 'nope'" in " ".join(told.err.split())) == (Exit.USAGE, True), told.said
        told = await here.failoverctl("why")
        assert (told.code, "no change is known" in told.err) == (Exit.FAILED, True)


async def test_a_policy_and_a_region_of_one_name_are_told_apart(tmp_path: Path) -> None:
    twin = replace(TRIO, name="azure")
    async with console(tmp_path, twin) as here:
        told = await here.failoverctl("release", "azure", "--reason", "done")
        assert (told.code, "say which is meant, --region azure or --policy azure" in " ".join(told.err.split())) == (
            Exit.USAGE, True,
        ), told.said  # fmt: skip
