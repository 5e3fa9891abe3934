"""The top rung: a completion is streamed, and timed while it arrives."""

import json
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Final

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding, printable
from failoverd.probes.inference_check.answer_status import AnswerStatus, parse_json
from failoverd.probes.inference_check.event_stream import EventStream, StreamError
from failoverd.probes.inference_check.inference_settings import InferenceSettings
from failoverd.probes.transport.protocol import ClientProtocol, ClientTransport

_DONE: Final = b"[DONE]"
_STREAM: Final = "text/event-stream"
_CONTENT: Final = ("content", "reasoning_content", "reasoning", "refusal")
"""Where a delta has its text: models that reason begin with that."""

_MOST_USAGE: Final = 1_000_000
_MAX_SHOWN: Final = 100
_REJECTED: Final = frozenset({400, 401, 403, 404, 405, 411, 413, 415, 422, 429})
"""Statuses of a request that was not worked on, and so cost nothing."""

_FULL: Final = ("overloaded", 429, "429")


def body_of(settings: InferenceSettings) -> bytes:
    """The request for one completion, the cheapest that shows what users would see."""
    return json.dumps(
        {
            "model": settings.model,
            "messages": [{"role": "user", "content": settings.prompt}],
            "max_tokens": settings.max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ).encode()


class CompletionJudge:
    """Hears one streamed completion.

    Args:
        settings: the check's.
        heads: judges the status.
        stopwatch: seconds since some moment.
    """

    def __init__(
        self, settings: InferenceSettings, answer_status: AnswerStatus, stopwatch: Callable[[], float] = perf_counter
    ) -> None:
        self._settings = settings
        self._answer_status = answer_status
        self._stopwatch = stopwatch
        self._events = EventStream()
        self._sent_at: float | None = None
        self._first_at = self._last_at = 0.0
        self._pieces = 0  # deltas with text; a server may put several tokens into one
        self._written: int | None = None
        self._usage: int | None = None
        self._cut = False

    def begin(self) -> None:
        """The request is sent."""
        self._sent_at = self._stopwatch()

    def spent(self, reserved: int) -> int:
        """Tokens that it cost, of which `reserved` were expected at most; in doubt, all of those.

        A server's word is not taken for less than what was seen to arrive.
        """
        if self._sent_at is None or self._answer_status.status in _REJECTED:
            return 0
        return reserved if self._usage is None else max(self._usage, self._pieces + 1)

    # -- the judge -----------------------------------------------------------------------------------------------------

    def head(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding | None:
        found = self._answer_status.weigh(status, reason, headers)
        if found is not None:
            return found
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _STREAM:
            return _invalid(f"it comes as {printable(kind, _MAX_SHOWN) or 'nothing'}, not as {_STREAM}")
        return None

    def body(self, data: bytes) -> Finding | None:
        try:
            for event in self._events.feed(data):
                found = self._hear(event)
                if found is not None:
                    return found
        except StreamError as error:
            return _invalid(str(error))
        except ValueError as error:
            return _invalid(f"an event is no JSON: {printable(str(error), _MAX_SHOWN)}")
        return None

    def cut(self) -> None:
        self._cut = True

    def end(self) -> Finding:
        return _invalid("it does not stop" if self._cut else f"it ends without {_DONE.decode()}")

    # -- events --------------------------------------------------------------------------------------------------------

    def _hear(self, event: bytes) -> Finding | None:
        """Raises ValueError for what is no JSON."""
        if event.strip() == _DONE:
            return self._weigh()
        chunk = parse_json(event)
        if not isinstance(chunk, dict):
            return _invalid("an event is no object")
        if chunk.get("error"):
            return _trouble(chunk)
        self._count(chunk.get("usage"))
        choices = chunk.get("choices", [])
        if not isinstance(choices, list):
            return _invalid('"choices" is no list')
        return self._read(choices[0]) if choices else None

    def _read(self, choice: object) -> Finding | None:
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(delta, dict):
            return _invalid("a choice has no delta")
        said = any(isinstance(delta.get(name), str) and delta[name] for name in _CONTENT)
        ends = choice.get("finish_reason") is not None
        if said or (ends and not self._pieces):  # the one token may be one that ends the text, and is not shown
            self._last_at = self._stopwatch()
            self._first_at = self._first_at if self._pieces else self._last_at
            self._pieces += 1
        return None

    def _count(self, usage: object) -> None:
        if not isinstance(usage, dict):
            return
        asked, written = _tokens(usage.get("prompt_tokens")), _tokens(usage.get("completion_tokens"))
        if asked is not None and written is not None:
            self._written = written
            self._usage = max(asked + written, _tokens(usage.get("total_tokens")) or 0)

    # -- the whole -----------------------------------------------------------------------------------------------------

    def _weigh(self) -> Finding:
        if not self._pieces or self._sent_at is None:
            return _invalid("there is no answer in it")
        settings, first = self._settings, self._first_at - self._sent_at
        speed = self._speed()
        measures = [("time_to_first_token", first)]
        words = f"first token after {first:.3g}s"
        if speed is not None:
            measures.append(("tokens_per_second", speed))
            words = f"{words}, {speed:.3g} tokens/s"
        if settings.slow_first_answer is not None and first > settings.slow_first_answer:
            words = f"{words} (slow is {settings.slow_first_answer:.3g}s)"
            return Finding(ProbeReason.FIRST_TOKEN_SLOW, words, tuple(measures))
        least = settings.min_tokens_per_second
        if least is not None and speed is not None and speed < least:
            return Finding(ProbeReason.THROUGHPUT_LOW, f"{words} (low is {least:.3g})", tuple(measures))
        return Finding(ProbeReason.OK, words, tuple(measures))

    def _speed(self) -> float | None:
        """Tokens a second after the first one; None for one token, or for all of them at once."""
        tokens = self._pieces if self._written is None else self._written
        took = self._last_at - self._first_at
        return (tokens - 1) / took if tokens > 1 and took > 0 else None


class Stopwatch:
    """A protocol that tells the judge of a completion when the request is sent."""

    def __init__(self, protocol: ClientProtocol, judge: CompletionJudge) -> None:
        self._protocol = protocol
        self._judge = judge

    def opened(self, transport: ClientTransport) -> Finding | None:
        self._judge.begin()
        return self._protocol.opened(transport)

    def received(self, data: bytes) -> Finding | None:
        return self._protocol.received(data)

    def ended(self) -> Finding:
        return self._protocol.ended()


def _invalid(words: str) -> Finding:
    return Finding(ProbeReason.STREAM_INVALID, f"the completion is no stream that can be read: {words}")


def _trouble(chunk: Mapping[str, object]) -> Finding:
    """An error inside a stream, in vLLM's form (an object) or TGI's (a text, and a type beside it)."""
    error = chunk["error"]
    inside = error if isinstance(error, dict) else {"message": error, "type": chunk.get("error_type")}
    words = printable(str(inside.get("message")), _MAX_SHOWN)
    if any(inside.get(key) in _FULL for key in ("code", "type")):
        return Finding(ProbeReason.OVERLOADED, f"an error in the stream: {words}")
    return Finding(ProbeReason.STREAM_INVALID, f"an error in the stream: {words}")


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_USAGE else None
