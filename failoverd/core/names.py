"""Domain names as people write them and as DNS holds them.

Inside, a name is what stands in DNS: ASCII, with the A-labels of an internationalised one (RFC 5890). People write and
read it in their own letters (UTS 46), and are shown both, for letters of two scripts may look alike.
"""

import re
import shlex
from fnmatch import fnmatchcase
from typing import Final

MARKER_LABEL: Final = "_failoverd"
"""The label below which the ownership marker of a name stands (a TXT record)."""

WILDCARD_LABEL: Final = "_wildcard"
"""What stands for the asterisk in the marker's name: most providers take an asterisk as the first label alone."""

_WILDCARD: Final = "*."
_A_LABEL: Final = "xn--"
_INTERNATIONAL: Final = re.compile(r"(?<![\w.*-])(?:\*\.)?(?:[a-z0-9_-]+\.)*xn--[a-z0-9-]+(?:\.[a-z0-9_-]+)*")
_IN_COMMAND: Final = re.compile(r"failoverctl [a-z]+ (?:[^\s;]+ )*\"?$")


def is_wildcard(name: str) -> bool:
    """Whether a name stands for all names below its parent that do not exist (RFC 4592, 2.1.1)."""
    return name.startswith(_WILDCARD)


def without_wildcard(name: str) -> tuple[str, str]:
    """The asterisk with its dot, if the name begins so, and the rest."""
    return (_WILDCARD, name.removeprefix(_WILDCARD)) if is_wildcard(name) else ("", name)


def marker_name(name: str) -> str:
    """Where the ownership marker of a name stands."""
    asterisk, rest = without_wildcard(name)
    return f"{MARKER_LABEL}.{WILDCARD_LABEL}.{rest}" if asterisk else f"{MARKER_LABEL}.{name}"


def starred(text: str, pattern: str) -> bool:
    """Whether it is the text, with `*` for any letters. No other letter stands for others: IPv6 needs its brackets."""
    return fnmatchcase(text, re.sub(r"[\[?]", r"[\g<0>]", pattern))


def quoted(name: str) -> str:
    """A name as it may stand in a command and in YAML, both of which read an asterisk as something of their own."""
    return f'"{name}"' if is_wildcard(name) else name


def failoverctl(*words: str) -> str:
    """A command to paste. Each word that a shell would read as something of its own is quoted: it may be anybody's."""
    return shlex.join(("failoverctl", *words))


def in_dns(name: str) -> str:
    """A name as DNS holds it. ASCII stays as it is, for labels such as `_tcp` are none of IDNA's business.

    Raises:
        ValueError: a label is none that may be registered (RFC 5891, 4.2), in words that say why.
    """
    if name.isascii():
        return name
    import idna  # noqa: PLC0415 - its tables take longer to load than most commands to run

    mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
    return ".".join(label if label.isascii() else idna.alabel(label).decode() for label in mapped.split("."))


def both_ways(text: str) -> str:
    """The text with each internationalised name in it in its own letters too: `bücher.example (xn--bcher-kva.example)`.

    What is shown both ways already stays as it is, and so does a command that a person is told to run.
    """
    if _A_LABEL not in text:
        return text

    def shown(found: re.Match[str]) -> str:
        letters = _in_letters(found[0])
        before = text[: found.start()]
        as_it_is = letters == found[0] or before.endswith(f"{letters} (") or _IN_COMMAND.search(before)
        return found[0] if as_it_is else f"{letters} ({found[0]})"

    return _INTERNATIONAL.sub(shown, text)


def _in_letters(name: str) -> str:
    """A name with its A-labels decoded; those that nobody could have registered stay as they are."""
    import idna  # noqa: PLC0415 - as above

    def label_in_letters(label: str) -> str:
        try:
            return idna.ulabel(label) if label.startswith(_A_LABEL) else label
        except idna.IDNAError:
            return label

    return ".".join(map(label_in_letters, name.split(".")))
