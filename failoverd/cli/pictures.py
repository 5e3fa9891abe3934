"""What pictures in pages have in common: round values at their axes, and words that are no markup."""

from collections.abc import Iterable
from html import escape
from math import ceil, floor, log10
from typing import Final

from failoverd.cli.screen import shown

_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_ALMOST: Final = 1e-6
_THOUSAND: Final = 1_000.0

Ticks = Iterable[tuple[float, str]]
"""Values with their words."""


def round_ticks(
    high: float, unit: str = "", factor: float = 1.0, *, least: float = 0.0, about: int = 5
) -> list[tuple[float, str]]:
    """About five round values from zero up, shown times `factor`, and so at least `least` apart."""
    rough = high * factor / about
    power = 10.0 ** floor(log10(rough)) if rough > 0 else 1.0
    step = next(each * power for each in _STEPS if each * power >= rough * (1 - _ALMOST))
    step = max(step, least)
    count = floor(high * factor / step + _ALMOST)
    return [(each * step / factor, f"{_short(each * step)}{unit}") for each in range(count + 1)]


def _short(value: float) -> str:
    """Thousands as `k`, so that the words fit beside the plot."""
    return f"{value / _THOUSAND:g}k" if value >= 10 * _THOUSAND else f"{value:g}"


def decade_ticks(low: float, high: float, factor: float) -> list[tuple[float, str]]:
    """1, 2 and 5 of each power of ten, for a logarithmic scale; over many decades only the 1."""
    first, last = floor(log10(low * factor)), ceil(log10(high * factor))
    steps = _STEPS[:3] if last - first <= len(_STEPS[:3]) else _STEPS[:1]
    values = (step * 10.0**power for power in range(first, last + 1) for step in steps)
    return [(each / factor, _short(each)) for each in values if low <= each / factor <= high]


def inert(words: str) -> str:
    """For people to read, whoever wrote it: no markup, and nothing that a terminal would act upon in the source."""
    return escape(shown(words))
