"""Names as Route 53 writes them, and the order in which it lists them."""

import re
from typing import Final

_ESCAPED: Final = re.compile(r"\\([0-3][0-7]{2})")
_ASTERISK: Final = r"\052"


def absolute(name: str) -> str:
    r"""With the final dot, as Route 53 returns it: the asterisk of a wildcard is `\052`."""
    return f"{name.replace('*', _ASTERISK)}."


def orders(name: str) -> tuple[str, str]:
    r"""What Route 53 may sort record sets by: the labels reversed, each with its dot ("ListResourceRecordSets").

    A name sorts right before everything below it, except that a marker comes after children which begin with a digit or
    a hyphen. Octets outside of a-z, 0-9, hyphen and underscore come escaped (`\052`), in their old place or behind it:
    the documents do not say which. So there are two.
    """
    plain = _ESCAPED.sub(lambda octet: chr(int(octet[1], 8)), name)
    return _order(name), _order(plain)


def follows(name: str, other: str) -> bool:
    """Whether a name is listed after another one, beyond doubt: in both orders."""
    return all(mine > theirs for mine, theirs in zip(orders(name), orders(other), strict=True))


def _order(name: str) -> str:
    return ".".join(reversed(name.removesuffix(".").split("."))) + "."
