"""Waiting for a word: when it ends, and what is told meanwhile."""

from dataclasses import dataclass, field, replace

import pytest
from support.journals import TARGET

from failoverd.api.client import ApiError
from failoverd.api.shapes import EffectTold, WordAnswer
from failoverd.api.telling import word_told
from failoverd.cli.words.following import PATIENCE, POLL, clients, followed
from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.errors import FailoverdError
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.operations.effects import Effect
from failoverd.telemetry import phrases

BEGAN = 1_000.0
WORD = Override("drain-1a2b3c4d", Verb.DRAIN, Scope(regions=("azure",)), "alice@console", BEGAN, BEGAN + 3_600.0)
GONE = ApiError("no daemon is heard", reason="daemon_unreachable")


def effect(
    *, settled: bool = True, verified: bool = True, changed_at: float | None = BEGAN + 1, **more: str
) -> EffectTold:
    shares = {"azure": 7_000, "oci": 3_000}, {"oci": 10_000}
    made = Effect(TARGET, OutcomeKind.IN_SYNC, *shares, 30, settled=settled, verified=verified, changed_at=changed_at)
    return EffectTold.model_validate(made).model_copy(update=more)


@dataclass
class Daemon:
    """Answers one after the other, the last one for ever."""

    answers: list[list[EffectTold] | FailoverdError]
    word_now: Override = WORD
    becomes: Override | None = None
    told: list[tuple[int, int]] = field(default_factory=list)
    naps: float = 0.0

    async def word(self, override_id: str) -> WordAnswer:
        assert override_id == WORD.id
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, FailoverdError):
            raise found
        return WordAnswer(override=word_told(self.word_now, BEGAN + 1), effects=tuple(found))

    async def follow(self, word: Override = WORD) -> WordAnswer:
        async def pause(seconds: float) -> None:
            self.naps += seconds
            self.word_now = self.becomes or self.word_now

        return await followed(self, word_told(word, BEGAN), lambda left, of: self.told.append((len(left), of)), pause)


@pytest.mark.parametrize(
    "late",
    [
        effect(settled=False, changed_at=None),
        effect(verified=False),
        effect(error="the provider cannot be read"),
    ],
)
async def test_it_goes_on_until_everything_is_changed_and_verified(late: EffectTold) -> None:
    daemon = Daemon([[late, effect()], [late, effect()], [effect(), effect()]])
    found = await daemon.follow()
    assert (len(found.effects), daemon.told, daemon.naps) == (2, [(1, 2), (1, 2)], 2 * POLL)


async def test_what_was_changed_before_the_word_needs_no_proof() -> None:
    daemon = Daemon([[effect(verified=False, changed_at=BEGAN - 1), effect(verified=False, changed_at=None)]])
    assert (await daemon.follow(), daemon.naps)[1] == 0.0


async def test_a_word_that_waits_for_a_second_person_is_not_done_because_nothing_is_to_be_changed() -> None:
    pending, over = replace(WORD, needed=2), replace(WORD, needed=2).released("bob@console", "no", BEGAN)
    daemon = Daemon([[effect()]], pending, becomes=over)
    found = await daemon.follow(pending)
    assert (found.override.state, daemon.naps) == ("over", POLL)


async def test_a_word_that_is_over_meanwhile_ends_it() -> None:
    over = WORD.released("bob@console", "no", BEGAN)
    found = await Daemon([[effect(settled=False)]], over).follow()
    assert found.override.ended_by == "bob@console"


async def test_after_a_release_it_goes_on_until_everything_is_back() -> None:
    over = WORD.released("bob@console", "done", BEGAN + 1)
    daemon = Daemon([[effect(settled=False)], [effect(changed_at=BEGAN + 2, verified=False)], [effect()]], over)
    await daemon.follow(over)
    assert daemon.naps == 2 * POLL


async def test_a_daemon_that_is_started_again_is_waited_for_and_one_that_is_gone_is_not() -> None:
    daemon = Daemon([GONE, GONE, [effect()]])
    await daemon.follow()
    assert daemon.naps == 2 * POLL
    gone = Daemon([GONE])
    with pytest.raises(ApiError):
        await gone.follow()
    assert gone.naps == PATIENCE
    with pytest.raises(ApiError):
        await Daemon([ApiError("no", reason="socket_forbidden")]).follow()


def test_the_clients_that_are_left_are_told_for_what_moved_alone() -> None:
    other = effect(changed_at=BEGAN - 1)
    (words,) = clients([effect(), other], BEGAN, BEGAN + 61)
    assert words == f"api.example.com A at bind-main: {phrases.clients(30, 60)}"
    assert clients([other], BEGAN, BEGAN + 61) == []


@pytest.mark.parametrize(
    ("ttl", "since", "words"),
    [
        (30, 0, "about 100% of clients still use the old answer; 11% after 30s, 2% after 15 min"),
        (30, 10, "about 70% of clients still use the old answer; 11% after 30s, 2% after 15 min"),
        (30, 60, "about 10% of clients still use the old answer; 2% after 15 min"),
        (3_600, 60, "about 97% of clients still use the old answer; 0% after 3600s"),
    ],
)
def test_how_many_clients_are_left_in_words(ttl: float, since: float, words: str) -> None:
    assert phrases.clients(ttl, since) == f"{words} (a lower TTL does not shorten the tail)"


def test_in_the_end_nothing_lies_ahead() -> None:
    assert phrases.clients(30, 900) == "about 2% of clients still use the old answer"
