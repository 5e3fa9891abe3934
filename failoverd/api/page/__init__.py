"""The page: one file, which asks for nothing but the views of the daemon that it came from.

It is put together here of its parts, so that there is nothing to build. Its policy (CSP 3) lets run what is in it, by
hash, and nothing else: a script or a style that anybody got into it would stay text. Charts are drawn by uPlot, which
lies in `vendor/` as it was published, with its licence.
"""

import gzip
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent

STYLES: Final = ("vendor/uplot-1.6.32.min.css", "page.css")
SCRIPTS: Final = ("vendor/uplot-1.6.32.min.js", "page.js")


@dataclass(frozen=True, slots=True)
class StatusPage:
    """`policy` is its Content-Security-Policy, `squeezed` the same page in gzip."""

    plain: bytes
    squeezed: bytes
    policy: str


@cache
def page() -> StatusPage:
    """The same bytes for everybody: nothing of an installation is in it."""
    style, script = _joined(STYLES), _joined(SCRIPTS)
    text = (HERE / "page.html").read_text("utf-8")
    plain = text.replace("/*STYLE*/", style).replace("/*SCRIPT*/", script).encode()
    allowed = (
        "default-src 'none'",
        f"script-src {_hash(script)}",
        f"style-src {_hash(style)}",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
    return StatusPage(plain, gzip.compress(plain, mtime=0), "; ".join(allowed))


def _joined(names: tuple[str, ...]) -> str:
    """A script that holds its own end would be cut off there: ours do not, which a test sees to."""
    return "\n".join((HERE / name).read_text("utf-8") for name in names)


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
