"""What a body has to hold: texts, a pattern, values at JSON paths.

Bodies come from targets that may be hostile, so what judges them takes time in proportion to their size and no more:
patterns are RE2's, which never backtracks, and a JSON path is refused when it could visit a value more than once. What
cannot be read as it should is a mismatch that says why; nothing raises.
"""

import json
import math
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding, excerpt, printable
from failoverd.probes.patterns import compiled

if TYPE_CHECKING:
    from jsonpath import JSONPath

MOST_VALUES: Final = 20_000
"""Values that a JSON body may have."""

_EXCERPT: Final = 60
_CHEAP: Final = 500_000
"""Bytes of a body times the weight of what judges it, up to which judging it takes a few milliseconds at most."""

_WEIGHT_OF_A_PATH: Final = 100
"""A pattern weighs as many as it has states; reading JSON and following a path costs as much as this many."""

Scalar = str | int | float | bool | None


# -- JSON paths --------------------------------------------------------------------------------------------------------


def _path(text: str) -> "JSONPath":
    """Imported when a check has one: it takes as long as everything else that an HTTP check needs together."""
    from failoverd.probes.http_check.json_paths import json_path  # noqa: PLC0415 - the same reason

    return json_path(text)


# -- values ------------------------------------------------------------------------------------------------------------

_COMPARED = re.compile(r"\s*(<=|>=|<|>|==|!=)\s*(\S(?:.*\S)?)\s*", re.DOTALL)
_ORDER: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class JsonExpectation:
    """Every value that a JSON path selects, and it selects at least one, compares so with `value`."""

    path: str
    operator: str
    value: Scalar

    def unmet(self, document: object) -> str:
        """What is wrong with a document; empty when nothing is."""
        selected = [match.obj for match in _path(self.path).finditer(document)]  # type: ignore[arg-type]
        if not selected:
            return f"{self.path} is not in the body"
        wrong = next((value for value in selected if not self._holds(value)), _NOTHING)
        return "" if wrong is _NOTHING else f"{self.path} is {_shown(wrong)}, not {self.words()}"

    def words(self) -> str:
        """The expectation as a policy could write it."""
        shown = json.dumps(self.value, ensure_ascii=False)
        return shown if self.operator == "==" else f"{self.operator} {shown}"

    def _holds(self, value: object) -> bool:
        if self.operator == "==":
            return _same(value, self.value)
        if self.operator == "!=":
            return not _same(value, self.value)
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) != math.inf
        return number and _ORDER[self.operator](value, self.value)  # type: ignore[arg-type]


_NOTHING: Final = object()


def _same(value: object, wanted: Scalar) -> bool:
    """Equal in JSON: `true` is not 1, and 1 is 1.0."""
    return isinstance(value, bool) is isinstance(wanted, bool) and value == wanted


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return excerpt(value.encode("utf-8", "backslashreplace"))
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 128:  # noqa: PLR2004 - long
        return "a number of many digits"
    return json.dumps(value)


def parse_expectations(value: object) -> tuple[JsonExpectation, ...]:
    """Reads `{"$.status": ok, "$.queue.depth": "< 5", "$.error": "!= null"}`.

    A text that begins with a comparison compares: `<`, `<=`, `>` and `>=` with a number, `==` and `!=` with any scalar
    in JSON's notation, `"== null"` among them, so that `'== "< 5"'` is the text `< 5`. Every other scalar is
    expected as it is.
    """
    if isinstance(value, tuple) and all(isinstance(each, JsonExpectation) for each in value):
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError('write JSON paths with what is expected there: {"$.status": ok, "$.queue.depth": "< 5"}')
    if len(value) > _MOST_EXPECTATIONS:
        raise ValueError(f"at most {_MOST_EXPECTATIONS} JSON paths fit into a check")
    return tuple(_expectation(text, wanted) for text, wanted in value.items())


def say_expectations(values: tuple[JsonExpectation, ...]) -> dict[str, str]:
    """Expectations as a policy could write them."""
    return {each.path: f"{each.operator} {json.dumps(each.value, ensure_ascii=False)}" for each in values}


_MOST_EXPECTATIONS: Final = 16
_MOST_PATH: Final = 500


def _expectation(text: object, wanted: object) -> JsonExpectation:
    if not isinstance(text, str) or len(text) > _MOST_PATH:
        raise ValueError(f"a JSON path is a text of at most {_MOST_PATH} characters")
    _path(text)
    if wanted is not None and not isinstance(wanted, str | int | float):
        raise ValueError(f"{text[:80]!r} can be compared with a text, a number, true, false or null")
    if isinstance(wanted, str) and (compared := _COMPARED.fullmatch(wanted)) is not None:
        return JsonExpectation(text, compared[1], _operand(text, compared[1], compared[2]))
    if isinstance(wanted, float) and not math.isfinite(wanted):
        raise ValueError(f"{text[:80]!r} cannot be compared with a number that is not finite")
    return JsonExpectation(text, "==", wanted)


def _operand(text: str, compare: str, written: str) -> Scalar:
    try:
        found = json.loads(written, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        found = _NOTHING
    if isinstance(found, bool | int | float | str) or found is None:
        number = isinstance(found, int | float) and not isinstance(found, bool) and _is_finite(found)
        if number or compare in {"==", "!="}:
            return found
    needed = "a number" if compare in _ORDER else "a number, true, false, null or a text in quotes ('!= \"down\"')"
    raise ValueError(f"{text[:80]!r} is compared by {compare} with {written[:40]!r}, which is not {needed}")


def _is_finite(number: float) -> bool:
    """An integer always is, also one that is too large to be a float."""
    return isinstance(number, int) or math.isfinite(number)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


# -- bodies ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BodyExpectations:
    """Everything that a check expects of a body: each of them has to hold.

    Attributes:
        contains: a text that is in it.
        lacks: a text that is not in it.
        pattern: a pattern in RE2's syntax that is found in it.
        values: what stands where, if it is JSON.
    """

    contains: bytes | None = None
    lacks: bytes | None = None
    pattern: str | None = None
    values: tuple[JsonExpectation, ...] = ()

    def is_cheap(self, size: int) -> bool:
        """Whether a body of so many bytes is judged at once; else it takes a thread, so that nobody waits."""
        states = compiled(self.pattern).programsize if self.pattern is not None else 0
        return size * (states + _WEIGHT_OF_A_PATH * len(self.values)) <= _CHEAP

    def weigh(self, body: bytes, *, cut: bool) -> Finding:
        """What a body comes to.

        Args:
            body: the content, or the beginning of it.
            cut: whether there is more, which was not read.
        """
        for unmet in self._unmet(body, cut=cut):
            return Finding(ProbeReason.BODY_MISMATCH, unmet)
        return Finding(ProbeReason.OK, "the body is as it should be")

    def _unmet(self, body: bytes, *, cut: bool) -> Iterator[str]:
        if self.contains is not None and self.contains not in body:
            yield lacking(f"contain {excerpt(self.contains)}", len(body), body, cut=cut)
        if self.lacks is not None and self.lacks in body:
            yield f"the body contains {excerpt(self.lacks)}"
        if self.pattern is not None and compiled(self.pattern).search(body) is None:
            yield lacking(f"match {excerpt(self.pattern.encode())}", len(body), body, cut=cut)
        if self.values:
            yield from _unmet_values(self.values, body, cut=cut)


def lacking(what: str, size: int, start: bytes, *, cut: bool) -> str:
    """A body that fails to do something, with its beginning."""
    where = f"the first {size} bytes of the body do" if cut else f"the body ({size} bytes) does"
    return f"{where} not {what}; it begins with {excerpt(start, _EXCERPT)}"


def _unmet_values(values: tuple[JsonExpectation, ...], body: bytes, *, cut: bool) -> Iterator[str]:
    if cut:
        yield f"the body is longer than {len(body)} bytes, too long to be read as JSON"
        return
    try:
        document = _document(body)
    except RecursionError:
        yield "the body is JSON that is nested too deeply"
    except ValueError as error:
        yield f"the body cannot be read as JSON: {printable(str(error))}"
    else:
        yield from filter(None, (expectation.unmet(document) for expectation in values))


def _document(body: bytes) -> object:
    """A JSON document (RFC 8259) in which nothing is ambiguous. Raises ValueError, or RecursionError."""
    if body.count(b",") > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES} values")
    return json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f'"{twice[:40]}" stands there twice')
    return found
