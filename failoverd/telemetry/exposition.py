"""Families of metrics, written as text while they are filled: the format of Prometheus, 0.0.4.

A page has tens of thousands of samples where there are a thousand policies. An object for each, made anew for every
page, takes ten times as long as its line; and what a line begins with, the labels, is the same on every page.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from prometheus_client.utils import floatToGoString

from failoverd.core.tallies import Histogram

_go: Final[Callable[[float], str]] = floatToGoString

_KEPT: Final = 65_536
"""Label texts that are remembered: those of some thousand policies."""


class MetricFamily:
    """One family. `kind` is `gauge`, `counter` or `histogram`; the samples of a counter end in `_total`."""

    def __init__(self, kind: str, name: str, words: str, labels: Sequence[str] = ()) -> None:
        self._name = f"{name}_total" if kind == "counter" else name
        self._labels = tuple(labels)
        told = words.replace("\\", r"\\").replace("\n", r"\n")
        self._lines = [f"# HELP {self._name} {told}\n# TYPE {self._name} {kind}\n"]

    def add(self, values: Sequence[str], value: float) -> None:
        """One sample, with a value for each label."""
        said = _said(self._labels, tuple(values))
        self._lines.append(f"{self._name}{{{said}}} {_number(value)}\n" if said else f"{self._name} {_number(value)}\n")

    def observe(self, values: Sequence[str], found: Histogram) -> None:
        """All samples of one histogram."""
        said, name = _said(self._labels, tuple(values)), self._name
        begin = f"{name}_bucket{{{said}{',' if said else ''}le="
        counts = found.cumulative()
        self._lines += [
            f'{begin}"{bound}"}} {count}.0\n' for bound, count in zip(_bounds(found.bounds), counts, strict=True)
        ]
        end = f"{{{said}}}" if said else ""
        self._lines.append(f"{name}_count{end} {counts[-1]}.0\n{name}_sum{end} {_number(found.total)}\n")

    def __str__(self) -> str:
        return "".join(self._lines)


@lru_cache(_KEPT)
def _said(labels: tuple[str, ...], values: tuple[str, ...]) -> str:
    return ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@lru_cache(64)
def _bounds(bounds: tuple[float, ...]) -> tuple[str, ...]:
    return (*map(_go, bounds), "+Inf")


def _number(value: float) -> str:
    return _SMALL[value] if value in _SMALL else _go(value)


_SMALL: Final[dict[float, str]] = {0.0: "0.0", 1.0: "1.0"}
"""Most gauges are one of them."""
