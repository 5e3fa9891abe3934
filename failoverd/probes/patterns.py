"""Patterns of checks, in RE2's syntax: RE2 never backtracks, so a hostile text costs no more than its length."""

from functools import lru_cache
from typing import Annotated, Final

import re2
from pydantic import AfterValidator, Field

from failoverd.probes.findings import printable

_MOST_STATES: Final = 1_000
_PATTERN_MEMORY: Final = 1024 * 1024
_MAX_TEXT: Final = 1_000


@lru_cache(maxsize=256)
def compiled(pattern: str) -> "re2._Regexp":
    """A pattern in RE2's syntax, over UTF-8. Raises ValueError when it is none, or one that costs too much."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _PATTERN_MEMORY
    try:
        made = re2.compile(pattern, options)
    except re2.error as error:
        words = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"this is no pattern that RE2 understands: {printable(words)}") from None
    if made.programsize > _MOST_STATES:
        raise ValueError("this pattern is too large: write * or + in the place of high repeat counts such as {0,100}")
    return made


def parse_pattern(value: str) -> str:
    """A pattern that RE2 understands and that is cheap enough."""
    compiled(value)
    return value


Pattern = Annotated[str, Field(min_length=1, max_length=_MAX_TEXT), AfterValidator(parse_pattern)]
