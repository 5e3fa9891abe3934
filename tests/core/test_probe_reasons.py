"""The table of reasons: a row says everything, and says it once."""

from copy import deepcopy
from pickle import dumps, loads

import pytest

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason


@pytest.mark.parametrize("reason", ProbeReason)
def test_a_reason_says_in_one_sentence_what_it_means_and_what_to_do(reason: ProbeReason) -> None:
    assert reason.meaning.endswith(".")
    assert 40 < len(reason.meaning) < 90


def test_no_two_reasons_say_the_same() -> None:
    assert len({reason.meaning for reason in ProbeReason}) == len(ProbeReason)


@pytest.mark.parametrize("reason", ProbeReason)
def test_a_reason_is_its_word_wherever_it_goes(reason: ProbeReason) -> None:
    assert (str(reason), reason.value) == (reason.name.lower(), reason.name.lower())
    assert ProbeReason(reason.value) is reason
    assert deepcopy(reason) is loads(dumps(reason)) is reason  # noqa: S301 - our own bytes


def test_whoever_passes_or_is_degraded_was_reached() -> None:
    assert all(
        reason.is_answer for reason in ProbeReason if reason.outcome in {ProbeOutcome.PASS, ProbeOutcome.DEGRADED}
    )


@pytest.mark.parametrize("word", ["connect_refused", "connect_reset", "connect_timeout", "response_closed"])
def test_what_a_packet_filter_can_do_is_no_answer(word: str) -> None:
    assert not ProbeReason(word).is_answer
