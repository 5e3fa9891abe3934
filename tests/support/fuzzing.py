"""Answers that almost make sense: good ones, damaged in the ways in which bytes get damaged.

    for sent in damaged(GOOD, 10_000, seed=1): ...

How many there are is multiplied by FAILOVERD_SOAK, as `make soak` sets it. A seed gives the same ones each time.
"""

import os
import random
from collections.abc import Iterator, Sequence
from typing import Final

SOAK: Final = int(os.environ.get("FAILOVERD_SOAK", "1"))
"""How many times as hard is looked for what breaks."""

_MOST_DAMAGES: Final = 4
_SPANS: Final = (1, 3, 12, 200)
"""Bytes that are lost, or said again, together."""

_TELLING: Final = (b"\0", b"\xff", b"\x7f", b"\x80", b"\r", b"\n", b" ", b"\0\0", b"\xff\xff", b"\xc0\x0c", b"9" * 20)
"""Bytes at which parsers have broken: ends of ranges, ends of lines, a pointer of DNS, a number beyond all."""


def damaged(good: Sequence[bytes], count: int, *, seed: int) -> Iterator[bytes]:
    """`count` times `SOAK` of them."""
    chance = random.Random(seed)  # noqa: S311 - nothing is kept secret by it
    for _ in range(count * SOAK):
        yield damaged_once(chance.choice(good), chance, good)


def damaged_once(
    good: bytes, chance: random.Random, others: Sequence[bytes], telling: Sequence[bytes] = _TELLING
) -> bytes:
    """One of them. `others` are what it may be mixed with, `telling` what may be put into it."""
    data = bytearray(good)
    for _ in range(chance.randint(1, _MOST_DAMAGES)):
        _damage(data, others, chance, telling)
    return bytes(data)


def pieces(data: bytes, seed: int) -> list[bytes]:
    """The same bytes, as they might arrive."""
    chance = random.Random(seed)  # noqa: S311 - as above
    places = sorted(chance.randint(0, len(data)) for _ in range(chance.randint(0, 6)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True) if start < end]


def _damage(data: bytearray, others: Sequence[bytes], chance: random.Random, telling: Sequence[bytes]) -> None:
    at = chance.randint(0, len(data))
    span = data[at : at + chance.choice(_SPANS)]
    match chance.randrange(7):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at:at] = chance.choice(telling)
        case 2:
            data[at : at + len(span)] = chance.choice(telling)
        case 3:
            del data[at : at + len(span)]
        case 4:
            data[at:at] = span * chance.randint(1, 3)
        case 5:
            del data[at:]
        case _:
            other = chance.choice(others)
            data[at:] = other[chance.randint(0, len(other)) :]
