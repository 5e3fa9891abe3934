"""Thresholds of metrics: `vllm:num_requests_waiting{model="m"} > 5`, or `sum(…) > 5`, read and applied to a page.

The page is text in the exposition formats of Prometheus (0.0.4) or OpenMetrics, one sample in a line, with any number
of blanks between its parts. Only lines of samples that a threshold names are taken apart, and one pass of RE2 finds
them, so that a large page costs little more than its length.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import re2

from failoverd.probes.patterns import compiled

MAX_SERIES: Final = 500
"""Samples with a name that is wanted which a page may have: each costs microseconds."""

MAX_LABELS: Final = 3_000
"""Labels that all of those may have together."""

MAX_BYTES: Final = 128 * 1024
"""Bytes that their lines may have together."""

_BLANKS: Final = " \t\r"
_AROUND_NAME: Final = b"\n \t{"
_MAX_SHOWN: Final = 60
_NAME: Final = r"[A-Za-z_:][A-Za-z0-9_:]{0,199}"
_NUMBER: Final = r"[+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,3})?"
_EXPRESSION = re.compile(
    rf"\s*(?:(?P<fold>sum|max|min|avg)\s*\(\s*)?(?P<name>{_NAME})\s*(?:\{{(?P<labels>.*)\}})?\s*(?P<close>\))?\s*"
    rf"(?P<sign>>=|<=|==|!=|>|<)\s*(?P<limit>{_NUMBER})\s*",
    re.ASCII | re.DOTALL,
)
_MATCHER = re.compile(r'\s*([A-Za-z_]\w{0,99})\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\["\\n])*)"\s*(,|$)', re.ASCII)
_LABEL = re.compile(r'[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t]*[,}]', re.ASCII)
_OPEN = re.compile(r"\{[ \t]*\}")
_CLOSE = re.compile(r",?[ \t]*\}")
_VALUE = re.compile(rf"[ \t]*+({_NUMBER}|[+-]?(?i:inf|infinity)|(?i:nan))(?=[ \t]|$)", re.ASCII)

_SIGNS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_FOLDS: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "sum": sum,
    "max": max,
    "min": min,
    "avg": lambda values: sum(values) / len(values),
}


@dataclass(frozen=True, slots=True)
class LabelMatcher:
    """What a label has to be, with Prometheus' meanings: one that is missing is empty, patterns match as a whole."""

    label: str
    sign: str
    text: str

    def fits(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.label, "")
        same = value == self.text if self.sign in {"=", "!="} else _whole(self.text).fullmatch(value) is not None
        return same is (self.sign in {"=", "=~"})


@lru_cache(maxsize=1_024)
def _whole(pattern: str) -> re2._Regexp:
    return compiled(f"(?:{pattern})")


class MetricSample(NamedTuple):
    """One line of a page."""

    labels: Mapping[str, str]
    value: float


class ThresholdVerdict(NamedTuple):
    """A threshold against a page: what counted, None when the page does not have it, and whether it is past."""

    value: float | None
    crossed: bool


@dataclass(frozen=True, slots=True)
class Threshold:
    """One expression. Without a `fold`, any series that is past the limit is enough. `text` is as it was written."""

    name: str
    sign: str
    limit: float
    fold: str = ""
    matchers: tuple[LabelMatcher, ...] = ()
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """Raises ValueError, saying what is wrong."""
        found = _EXPRESSION.fullmatch(text)
        if found is None or bool(found["fold"]) is not bool(found["close"]):
            raise ValueError(
                f"{text[:_MAX_SHOWN]!r} is no threshold: write it like 'queue_depth > 5', "
                "'queue_depth{model=\"m\"} > 5' or 'sum(queue_depth) > 5'"
            )
        limit = float(found["limit"])
        if not math.isfinite(limit):
            raise ValueError(f"{text[:_MAX_SHOWN]!r} has a limit that is no finite number")
        return cls(
            found["name"], found["sign"], limit, found["fold"] or "", tuple(_matchers(found["labels"] or "")), text
        )

    def weigh(self, samples: Iterable[MetricSample]) -> ThresholdVerdict:
        """NaN says nothing: a series of it is not there."""
        values = [
            sample.value
            for sample in samples
            if not math.isnan(sample.value) and all(matcher.fits(sample.labels) for matcher in self.matchers)
        ]
        if not values:
            return ThresholdVerdict(None, crossed=False)
        if self.fold:
            values = [_FOLDS[self.fold](values)]
        past = [value for value in values if not math.isnan(value) and _SIGNS[self.sign](value, self.limit)]
        if past:
            return ThresholdVerdict(self._worst(past), crossed=True)
        if math.isnan(values[0]):  # a sum of infinities
            return ThresholdVerdict(None, crossed=False)
        return ThresholdVerdict(self._worst(values), crossed=False)

    def _worst(self, values: list[float]) -> float:
        return min(values) if self.sign in {"<", "<="} else max(values)

    def __str__(self) -> str:
        return f"{self.fold}({self.name})" if self.fold else self.name


def _matchers(text: str) -> Iterator[LabelMatcher]:
    at = 0
    while text[at:].strip():
        found = _MATCHER.match(text, at)
        if found is None:
            raise ValueError(f"{text[at : at + _MAX_SHOWN]!r} does not select labels: write it like 'model=\"m\"'")
        label, sign, value = found[1], found[2], _unescape(found[3])
        if sign in {"=~", "!~"}:
            _whole(value)
        yield LabelMatcher(label, sign, value)
        at = found.end()


def _unescape(text: str) -> str:
    """A label's value without its escapes: a backslash, a double quote and a line feed have one."""
    if "\\" not in text:
        return text
    parts = (part.replace('\\"', '"').replace("\\n", "\n") for part in text.split("\\\\"))
    return "\\".join(parts)


# -- the page ----------------------------------------------------------------------------------------------------------


class PageError(Exception):
    """A page has more under the names that are wanted than is taken apart. Says what."""


def read_page(data: bytes, names: Iterable[str]) -> Mapping[str, list[MetricSample]]:
    """The samples of a page under each name; lines that are none are passed over.

    Raises:
        PageError: a page without such bounds could keep the whole process busy.
    """
    text, effort = b"\n" + data, _Effort()
    found: dict[str, list[MetricSample]] = {name: [] for name in names}
    for begun in _beginning(tuple(found)).finditer(text):
        start, end = begun.end() - 1, text.find(b"\n", begun.end())
        line = text[start : end if end >= 0 else len(text)]
        effort.series += 1
        effort.bytes += len(line)
        effort.check()
        sample = _sample(line.decode("utf-8", "replace").strip(_BLANKS), effort)
        if sample is not None:
            found[begun[0].strip(_AROUND_NAME).decode("ascii")].append(sample)
    return found


@lru_cache(maxsize=1_024)
def _beginning(names: tuple[str, ...]) -> re2._Regexp:
    """Where the line of a sample with one of these names begins, up to what follows the name."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # a page may be of any bytes
    options.never_capture = True
    return re2.compile(rf"\n[ \t]*(?:{'|'.join(names)})[ \t{{]".encode(), options)


class _Effort:
    """What a page has cost so far."""

    def __init__(self) -> None:
        self.series = self.labels = self.bytes = 0

    def check(self) -> None:
        if self.series > MAX_SERIES or self.labels > MAX_LABELS or self.bytes > MAX_BYTES:
            raise PageError(f"the page has more than {MAX_SERIES} series, or too long ones, under these names")


def _sample(rest: str, effort: _Effort) -> MetricSample | None:
    """The labels and the value of a line whose name was cut off; time stamps and exemplars behind them do not count."""
    labels: dict[str, str] = {}
    at = 0
    if rest.startswith("{"):
        found = _OPEN.match(rest)
        at = 1 if found is None else found.end()
        while found is None:
            effort.labels += 1
            effort.check()
            label = _LABEL.match(rest, at)
            if label is None:
                return None
            labels[label[1]] = _unescape(label[2])
            at = label.end()
            found = _CLOSE.match(rest, at - 1)
            at = at if found is None else found.end()
    value = _VALUE.match(rest, at)
    return None if value is None else MetricSample(labels, float(value[1]))
