"""Instant queries to whatever speaks the HTTP API of Prometheus: Thanos, Mimir, VictoriaMetrics and others do.

An answer is a vector of finite numbers, or one number, or it is a failure with a name. Nothing is guessed: not a
number (NaN), infinity, a text, another type, too many series, an error that is answered with 200: none is a value.

Time, bytes and series are bounded, redirects are not followed, for the credentials would go along, and what is told of
a failure repeats no secret.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from math import isfinite
from pathlib import Path
from typing import Any, Final

import aiohttp

from failoverd.core.errors import FailoverdError
from failoverd.foreign import quoted
from failoverd.http_client import CaFiles, http_session, read_bounded, unreached
from failoverd.outgoing import bearer, place_of
from failoverd.ports import SeriesValue

MOST_BYTES: Final = 1_048_576
"""Of one answer."""

MOST_SERIES: Final = 1_000
"""Of one answer: a query that gives more was not meant."""

LONGEST_URL: Final = 1_500
"""Characters of a query that goes into the address; a longer one is sent as a form (POST)."""

AT_ONCE: Final = 8
"""Queries to one source that are under way."""

_NUMBER: Final = re.compile(r"[+-]?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,4})?")
_REASONS: Final = frozenset({"bad_data", "timeout", "canceled", "execution", "internal", "unavailable", "too_many"})


class PrometheusSource:
    """One API. `ask` raises FailoverdError and nothing else."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        every: float,
        timeout: float,
        bearer_file: Path | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.every = every
        self._session = session
        self._url = f"{url}/api/v1/query"
        self._place = place_of(url)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._bearer_file = bearer_file
        self._ca_file = ca_file
        self._trust = CaFiles()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def ask(self, query: str) -> Sequence[SeriesValue]:
        """What the query gives now."""
        async with self._turns:
            return parse(await self._answered(query), self._place)

    async def _answered(self, query: str) -> bytes:
        headers = await asyncio.to_thread(bearer, self._bearer_file)
        trust = await self._trust.trusted(self._ca_file)
        long = len(query) > LONGEST_URL
        try:
            async with self._session.request(
                "POST" if long else "GET",
                self._url,
                params=None if long else {"query": query},
                data={"query": query} if long else None,
                headers=headers,
                allow_redirects=False,
                ssl=trust,
                timeout=self._timeout,
            ) as answer:
                body = await read_bounded(answer.content, MOST_BYTES)
                if body is None:
                    answer.close()  # whatever else it has to say
                    raise _failed("answer_too_large", f"{self._place} answers with more than {MOST_BYTES // 1024} KiB")
        except TimeoutError as error:
            raise _failed("timeout", f"{self._place} did not answer within {self._timeout.total:g}s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unreached(self._place, error) from None
        if answer.status != HTTPStatus.OK:
            raise self._refused(answer.status, body)
        return body

    def _refused(self, status: int, body: bytes) -> FailoverdError:
        if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110, 15.4
            remedy = "write the address that it really has: credentials are not taken elsewhere"
            return _failed("redirected", f"{self._place} answers with a redirect, {status}", remedy)
        said = _said(body)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            remedy = "correct the token in `bearer_file`; no restart is needed"
            return _failed(f"http_{status}", f"{self._place} lets nobody ask so: {status}{said}", remedy)
        return _failed(f"http_{status}", f"{self._place} answers {status}{said}")


@asynccontextmanager
async def asking() -> AsyncIterator[aiohttp.ClientSession]:
    """What sources ask by, for as long as the context lasts: no proxy of the environment, no cookie."""
    async with http_session("signals", limit=64, per_host=AT_ONCE) as session:
        yield session


# -- what is answered --------------------------------------------------------------------------------------------------


def parse(body: bytes, place: str) -> tuple[SeriesValue, ...]:
    """The samples of an answer. Raises FailoverdError for whatever else it is."""
    said = _json(body, place)
    if said.get("status") != "success":
        reason = said.get("errorType")
        code = f"query_{reason}" if isinstance(reason, str) and reason in _REASONS else "query_failed"
        remedy = "correct the query" if reason == "bad_data" else ""
        raise _failed(code, f"{place} answers with an error{_words(said.get('error'))}", remedy)
    data = said.get("data")
    if not isinstance(data, dict):
        raise _failed("not_an_answer", f"{place} answers with no data")
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar":
        return (SeriesValue({}, _number(result, place)),)
    if kind != "vector" or not isinstance(result, list):
        known = isinstance(kind, str) and kind in {"matrix", "string", "vector"}
        words = f"{place} answers with a {kind if known else 'strange'} result"
        raise _failed("wrong_type", f"{words}, and not with a vector", "write a query that gives one value of now")
    if len(result) > MOST_SERIES:
        words = f"{place} answers with {len(result)} series, more than {MOST_SERIES}"
        raise _failed("too_many_series", words, "sum in the query, by (region) for instance")
    samples = [
        SeriesValue(_labels(each, place), _number(each.get("value"), place)) for each in result if not _is_none(each)
    ]
    if result and not samples:
        raise _failed("not_finite", f"{place} answers NaN", _OF_NOTHING)
    return tuple(samples)


_OF_NOTHING: Final = "a ratio of nothing is NaN: ask for what is always there"


def _is_none(series: object) -> bool:
    """Whether a series has no value now (NaN): then it says nothing, and the others say what they say."""
    pair = series.get("value") if isinstance(series, dict) else None
    return isinstance(pair, list) and pair[1:] == ["NaN"]


def _json(body: bytes, place: str) -> dict[str, Any]:
    try:
        said = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _failed("not_json", f"{place} answers with what is no JSON", "correct the address") from None
    if not isinstance(said, dict):
        raise _failed("not_an_answer", f"{place} answers with what is no answer", "correct the address")
    return said


def _no_number(text: str) -> float:
    raise ValueError(text)


def _labels(series: object, place: str) -> dict[str, str]:
    labels = series.get("metric") if isinstance(series, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise _failed("not_an_answer", f"{place} answers with series that have no labels")
    return labels


def _number(pair: object, place: str) -> float:
    """The value of `[time, "value"]`: a finite number, written as one."""
    text = pair[1] if isinstance(pair, list) and len(pair) == 2 else None  # noqa: PLR2004 - a pair
    if not isinstance(text, str):
        raise _failed("no_value", f"{place} answers with no value")
    if text in {"NaN", "+Inf", "-Inf", "Inf"}:
        raise _failed(
            "not_finite", f"{place} answers {text}", "a ratio of nothing is NaN: ask for what is always there"
        )
    if not _NUMBER.fullmatch(text) or not isfinite(float(text)):
        raise _failed("not_a_number", f"{place} answers with what is no number")
    return float(text)


def _said(body: bytes) -> str:
    """The words of an error, if it has some."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return _words(said.get("error")) if isinstance(said, dict) else ""


def _words(text: object) -> str:
    words = quoted(text, 200) if isinstance(text, str) else ""
    return f": {words}" if words else ""


def _failed(reason: str, words: str, remedy: str = "") -> FailoverdError:
    return FailoverdError(words, reason=reason, remedy=remedy)
