"""The parts of an inference check that need no server: streams, timing, waiting, the order of what rungs said."""

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inference_api import DONE, MODEL, delta, usage

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.probes.findings import Finding
from failoverd.probes.inference_check.answer_status import AnswerStatus, retry_after
from failoverd.probes.inference_check.completion import CompletionJudge
from failoverd.probes.inference_check.event_stream import MAX_LINE, EventStream, StreamError
from failoverd.probes.inference_check.inference_settings import InferenceSettings, most_tokens
from failoverd.probes.inference_check.model_list import ModelsJudge
from failoverd.probes.inference_check.rungs import Rung, combine

NOW = 1_795_435_200.0  # Mon, 23 Nov 2026 12:00:00 GMT
OK = Finding(ProbeReason.OK, "fine")
FAILED = Finding(ProbeReason.STATUS_UNEXPECTED, "503")
FULL = Finding(ProbeReason.OVERLOADED, "429")
BLIND = Finding(ProbeReason.CREDENTIAL_REFUSED, "401")


def judge_of(stopwatch: Callable[[], float] = lambda: 0.0, **settings: object) -> CompletionJudge:
    checked = InferenceSettings.model_validate(
        {"inference": "/v1", "model": MODEL, "completion_every": "5m", "timeout": "10s", **settings}
    )
    judge = CompletionJudge(checked, AnswerStatus(lambda: NOW, secret=False), stopwatch)
    judge.begin()
    assert judge.head(200, "OK", {"content-type": "text/event-stream"}) is None
    return judge


def timed(*moments: tuple[float, bytes], **settings: object) -> Finding:
    """What comes of parts that arrive at these moments after the request."""
    now = 100.0
    judge = judge_of(lambda: now, **settings)
    for moment, part in moments:
        now = 100.0 + moment
        found = judge.body(part)
        if found is not None:
            return found
    return judge.end()


# -- timing ------------------------------------------------------------------------------------------------------------


def test_the_first_token_is_the_first_that_says_something() -> None:
    found = timed((0.1, delta("")), (0.5, delta("pong", "length")), (0.6, usage(9, 1)), (0.7, DONE))
    assert dict(found.measures) == {"time_to_first_token": pytest.approx(0.5)}


@pytest.mark.parametrize(("late", "reason"), [(1.9, ProbeReason.OK), (2.1, ProbeReason.FIRST_TOKEN_SLOW)])
def test_a_first_token_is_slow_beyond_the_limit(late: float, reason: ProbeReason) -> None:
    assert timed((late, delta("pong")), (late, DONE), slow_first_answer="2s").reason is reason


@pytest.mark.parametrize(("least", "reason"), [(9.9, ProbeReason.OK), (10.1, ProbeReason.THROUGHPUT_LOW)])
def test_speed_counts_from_the_first_token_on(least: float, reason: ProbeReason) -> None:
    parts = ((5.0, delta("a")), (5.2, delta("bcd")), (5.4, delta("e")), (9.0, usage(9, 5)), (9.0, DONE))
    found = timed(*parts, max_tokens=8, min_tokens_per_second=least)
    assert found.reason is reason
    assert dict(found.measures)["tokens_per_second"] == pytest.approx(10.0)


def test_tokens_that_come_all_at_once_have_no_speed() -> None:
    found = timed((1.0, delta("a") + delta("b") + DONE), max_tokens=8, min_tokens_per_second=1_000)
    assert found.reason is ProbeReason.OK
    assert "tokens_per_second" not in dict(found.measures)


def test_without_counts_each_piece_is_one_token() -> None:
    found = timed((1.0, delta("a")), (2.0, delta("b")), (3.0, delta("c")), (3.0, DONE), max_tokens=8)
    assert dict(found.measures)["tokens_per_second"] == pytest.approx(1.0)


def test_what_was_not_sent_costs_nothing() -> None:
    checked = InferenceSettings.model_validate({"inference": "/v1", "model": MODEL})
    assert CompletionJudge(checked, AnswerStatus(lambda: NOW, secret=False)).spent(100) == 0


def test_a_prompt_costs_at_most_its_bytes() -> None:
    assert most_tokens("\u00e9\u00e9", 8) == 4 + 128 + 8


# -- streams -----------------------------------------------------------------------------------------------------------


def test_events_are_read_as_the_standard_says() -> None:
    stream = b": comment\r\nevent: x\r\ndata:one\ndata: two\nid: 1\n\n\n\ndata:  three\n\ndata\n\ndata: four"
    events = EventStream()
    assert events.feed(stream) == [b"one\ntwo", b" three"]
    assert events.feed(b"\n\n") == [b"four"]


@given(st.lists(st.binary(max_size=40), max_size=8), st.data())
def test_events_are_the_same_however_they_are_cut(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(b"data: " + part.replace(b"\n", b"").replace(b"\r", b"") + b"\n\n" for part in parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    events, found = EventStream(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += events.feed(stream[start:end])
    assert found == EventStream().feed(stream)
    assert len(found) == sum(1 for part in parts if part.replace(b"\n", b"").replace(b"\r", b""))


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_no_bytes_make_the_reader_of_events_raise_anything_else(parts: list[bytes]) -> None:
    events = EventStream()
    with suppress(StreamError):
        for part in parts:
            assert all(len(event) <= MAX_LINE for event in events.feed(part))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "content", "usage", "error", "finish_reason", "code", "prompt_tokens"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON | st.binary(max_size=60), max_size=6))
def test_no_stream_makes_the_judge_raise_or_pass_without_an_answer(chunks: list[object]) -> None:
    judge, found = judge_of(), None
    for chunk in chunks:
        text = chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode()
        found = found or judge.body(b"data: " + text + b"\n\n")
    found = found or judge.body(DONE) or judge.end()
    assert judge.spent(100) >= 0
    if found.reason.outcome is ProbeOutcome.PASS:
        assert dict(found.measures).keys() >= {"time_to_first_token"}


@given(JSON | st.binary(max_size=200))
def test_no_list_makes_the_judge_raise_or_pass_without_the_model(page: object) -> None:
    checked = InferenceSettings.model_validate({"inference": "/v1", "model": MODEL, "revision": "r7"})
    judge = ModelsJudge(checked, AnswerStatus(lambda: NOW, secret=False))
    judge.body(page if isinstance(page, bytes) else json.dumps(page).encode())
    assert judge.end().reason is not ProbeReason.OK


# -- Retry-After -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        (" 0 ", 0.0),
        ("99999999999999999999", 3_600.0),
        ("Mon, 23 Nov 2026 12:02:00 GMT", 120.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2099 11:00:00 GMT", 3_600.0),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("\u0665", 0.0),
        ("Mon, 99 Nov 2026 12:02:00 +9999", 0.0),
    ],
)
def test_how_long_a_server_wants_us_to_wait(text: str, seconds: float) -> None:
    assert retry_after(text, NOW) == pytest.approx(seconds)


@given(st.text(max_size=60))
def test_no_text_makes_us_wait_without_end(text: str) -> None:
    assert 0.0 <= retry_after(text, NOW) <= 3_600.0


# -- rungs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "worst"),
    [([OK, OK], OK), ([OK, BLIND], BLIND), ([BLIND, FULL], FULL), ([FULL, FAILED], FAILED), ([FAILED, FULL], FAILED)],
)
def test_the_worst_of_the_rungs_counts(said: list[Finding], worst: Finding) -> None:
    assert combine([(str(number), each, 0.0) for number, each in enumerate(said)]).reason is worst.reason


def test_a_pass_is_asked_for_again_after_the_interval() -> None:
    rung = Rung("models", 60.0, 10.0)
    rung.say(OK, NOW)
    assert not rung.is_due(NOW + 59.0)
    assert rung.is_due(NOW + 60.0)
    assert rung.said(NOW + 119.0) is not None
    assert rung.said(NOW + 120.0) is None


@pytest.mark.parametrize(
    ("finding", "pauses"),
    [(FAILED, [0, 0, 10, 20, 40, 60, 60]), (FULL, [10, 20, 40, 60, 60]), (BLIND, [10, 20, 40, 60, 60])],
)
def test_trouble_that_lasts_is_asked_for_more_and_more_seldom(finding: Finding, pauses: list[float]) -> None:
    rung, now = Rung("models", 60.0, 10.0), NOW
    for pause in pauses:
        rung.say(finding, now)
        assert rung.is_due(now + pause)
        assert pause == 0 or not rung.is_due(now + pause - 1)
        now += pause
    rung.say(OK, now)
    rung.say(finding, now)
    assert rung.is_due(now + pauses[0])


def test_trouble_may_last_for_years() -> None:
    rung = Rung("models", 60.0, 10.0)
    for _ in range(2_000):
        rung.say(FULL, NOW)
    assert rung.is_due(NOW + 60.0)
