"""The page: one file, which asks for nothing but the views of the daemon that it came from.

It is put together here of its parts, so that there is nothing to build. Its policy (CSP 3) lets run what is in it, by
hash, and nothing else: a script or a style that anybody got into it would stay text. Charts are drawn by uPlot, which
lies in `vendor/` as it was published, with its licence.

Pages that are files, as that of a simulation, look like it: `light.css`, `dark.css` and `base.css` are theirs, too.
"""

import gzip
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent

STYLES: Final = ("vendor/uplot-1.6.32.min.css", "light.css", "dark.css", "base.css", "page.css")
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
    text = (HERE / "page.html").read_text("utf-8").replace("<!--MARK-->", mark())
    plain = text.replace("/*STYLE*/", style).replace("/*SCRIPT*/", script).encode()
    allowed = (
        "default-src 'none'",
        f"script-src {hash_of(script)}",
        f"style-src {hash_of(style)}",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
    return StatusPage(plain, gzip.compress(plain, mtime=0), "; ".join(allowed))


def still_style() -> str:
    """How a page looks that is a file: light or dark as its reader's system is, and light on paper."""
    light, dark, base = (_joined((name,)) for name in ("light.css", "dark.css", "base.css"))
    dark = dark.replace(_CHOSEN, ":root")
    return f"{light}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n{base}"


_CHOSEN: Final = ':root[data-theme="dark"]'
"""The page's own script says so; its reader may want it otherwise than the system has it."""


def mark() -> str:
    """What stands before the name, as SVG."""
    return (HERE / "mark.svg").read_text("utf-8").strip()


def hash_of(text: str) -> str:
    """A script or style as a policy names it (CSP 3, 2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _joined(names: tuple[str, ...]) -> str:
    """A script that holds its own end would be cut off there: ours do not, which a test sees to."""
    return "\n".join((HERE / name).read_text("utf-8") for name in names)
