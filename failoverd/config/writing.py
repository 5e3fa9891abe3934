"""Values as they stand in a file that is handed to a person: YAML 1.2 in which they mean what was said."""

import re
from collections.abc import Mapping
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z/_][A-Za-z0-9/._-]*|\d{1,3}(\.\d{1,3}){3}|\d+(ms|s|m|h|d)")
"""What no parser takes for anything but text, in a flow collection or outside; no number has the dots of an address."""

_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""What YAML 1.2, or 1.1 as other programs still read it, takes for something else than text."""

_NAMED: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def flow(value: object) -> str:
    """A value on one line, within a flow collection or not.

    Raises:
        ValueError: it holds half of a character, as a file name may that is not in UTF-8.
    """
    match value:
        case Mapping():
            return f"{{{', '.join(f'{flow(key)}: {flow(each)}' for key, each in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(flow, value))}]"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return _text(value)
    raise TypeError(f"{type(value).__name__} is nothing that a file can say")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("it is no text in UTF-8") from None
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    return char if char.isprintable() else f"\\U{ord(char):08x}"
