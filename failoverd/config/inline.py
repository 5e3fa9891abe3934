"""Secrets that somebody wrote into a file which is read, reviewed and committed. They are refused, and never shown."""

from collections.abc import Iterator

from failoverd.config.diagnostics import Code, Diagnostic, holds_secret, shown
from failoverd.config.documents import Document
from failoverd.config.tree import Place

_HINT = (
    "put it into a file of its own that only the service can read, name that file, and make a new secret: "
    "this one may have been seen"
)


def inline_secrets(document: Document) -> Iterator[Diagnostic]:
    """Every value that looks like a secret, by the name of its key or by itself."""
    for place, value in _texts(document.data, ()):
        key = str(next((step for step in reversed(place) if isinstance(step, str)), ""))
        if holds_secret(key, value):
            message = f"{shown(key)} holds a secret, which does not belong in this file"
            yield document.diagnose(Code.INLINE_SECRET, place, message, _HINT, key=isinstance(place[-1], str))


def _texts(data: object, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(data, str):
        yield place, data
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in items:
        yield from _texts(value, (*place, step))
