"""The weights that say a split most exactly, where a provider knows whole numbers up to some greatest one.

Off is measured in proportion, for a tenth of 1 % is as much to a canary as a tenth of 90 % is to the rest: between two
answers, by the factor that the quotient of their weights differs from that of their shares; over all of them, by the
greatest such factor. For two answers that is the best fraction.

Around the best weights there is a scale at which each of them is the share, rounded to the nearest whole number above
zero; nearest in proportion, so that the border between 1 and 2 is their geometric mean. Rounding changes only where a
share crosses such a border. So it is enough to try the scales at the borders.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from math import gcd, isqrt
from typing import Final

_MOST_SCALES: Final = 2_048
"""Scales that are tried, the finest ones. Of all that eight shares have between 1 and 255, none is left out."""


@lru_cache(maxsize=4_096)  # the same few splits, asked for whenever a record is compared
def fitted(parts: Sequence[int], most: int) -> tuple[int, ...]:
    """Whole weights from 1 to `most` in proportion to `parts`, as exactly as they can be said.

    Parts that can be said exactly are; otherwise the weights are the least far off, and of equally good ones the
    smallest. A part of zero, and no other one, has a weight of zero.
    """
    exact = _lowest(parts)
    if max(exact, default=0) <= most:
        return exact
    heaviest = max(parts)
    distinct = sorted({part for part in parts if part})
    best = min(_candidates(distinct, heaviest, most), key=lambda weights: (_off(weights), sum(weights.values())))
    return tuple(best[part] if part else 0 for part in parts)


def filled(weights: Sequence[int], most: int) -> tuple[int, ...]:
    """The same proportions in numbers as great as the range allows."""
    factor = max(1, most // max(weights, default=1))
    return tuple(weight * factor for weight in weights)


def _lowest(weights: Sequence[int]) -> tuple[int, ...]:
    """The same proportions in the smallest whole numbers."""
    factor = gcd(*weights) or 1
    return tuple(weight // factor for weight in weights)


def _candidates(distinct: Sequence[int], heaviest: int, most: int) -> Iterator[dict[int, int]]:
    """Weights by part, in lowest terms, for every scale at which the rounding of a part changes.

    Only scales that use more than half of the range, for what can be said in smaller numbers can be said in their
    multiples; and some that are too fine for it, where the heaviest part gets less than its due for the others' sake.
    """
    reach = _MOST_SCALES // len(distinct) + 1
    for part in distinct:
        full = part * most // heaviest
        coarsest = max(part * (most // 2) // heaviest, full - reach)
        finest = min(part * most * 3 // (heaviest * 2), full + reach)
        for border in range(coarsest, finest + 1):
            square = border * (border + 1)
            weights = [min(most, _rounded(square * each * each, part * part)) for each in distinct]
            yield dict(zip(distinct, _lowest(weights), strict=True))


def _rounded(square: int, unit: int) -> int:
    """The whole number above zero that is nearest, in proportion, to the square root of `square / unit`."""
    below = isqrt(square // unit)
    changes = below * (below + 1) * unit  # the square of the geometric mean of this number and the next
    return below if below > 0 and square < changes else below + 1


def _off(weights: Mapping[int, int]) -> Fraction:
    """The greatest factor by which two parts stand to each other in another proportion than they should."""
    most = max(weights, key=lambda part: weights[part] / part)
    least = min(weights, key=lambda part: weights[part] / part)
    return Fraction(weights[most] * least, most * weights[least])
