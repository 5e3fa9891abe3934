"""One YAML file to plain data, with the place of every key and value, and with bounds on everything.

Files are YAML 1.2 with its core schema and nothing beyond: `on`, `yes` and `no` are text. Three things that YAML offers
are refused, so that a value means what it says where it stands, and a small file stays small: anchors and aliases (with
which ten lines expand to gigabytes), tags, and several documents in one file.

The limits also bound the time that a hostile file can take, for the daemon reads files while it steers traffic. The
parser is quadratic in the length of a single token, so the length of a line is bounded too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from failoverd.config.diagnostics import Code, Diagnostic, Severity, about_file
from failoverd.config.tree import ASIDE, BREAK, Mark, Place, Tree, diagnostic_at
from failoverd.files import NotRegular, TooLarge, read_regular

MAX_BYTES = 256 * 1024
MAX_LINE = 4_096


@dataclass(frozen=True, slots=True)
class Document:
    """A file that is YAML.

    Attributes:
        file: as it was named to us.
        data: dicts, lists, text, numbers, booleans and None.
        keys: where the key of each mapping entry stands.
        values: where each value stands.
        lines: the text, for excerpts.
        digest: SHA-256 of the text.
    """

    file: str
    data: dict[str, Any]
    keys: Mapping[Place, Mark]
    values: Mapping[Place, Mark]
    lines: tuple[str, ...]
    digest: str

    def knows(self, path: Place) -> bool:
        return path in self.values

    def mark(self, path: Place, *, key: bool = False) -> Mark:
        """Where `path` stands, or the nearest of its parents that was written out."""
        while path not in self.values and path:
            path = path[:-1]
        if not path:
            return Mark(1, 1)
        return self.keys.get(path, self.values[path]) if key else self.values[path]

    def find(self, path: Place) -> object:
        """The value at `path`, or None."""
        value: Any = self.data
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def digest_without(self, key: str) -> str:
        """SHA-256 of the text without the lines of one of its first keys, as if nobody had written that."""
        mark = self.keys.get((key,))
        if mark is None or mark.column != 1:  # in braces, others stand in its lines
            return self.digest
        later = (each.line for place, each in self.keys.items() if len(place) == 1 and each.line > mark.line)
        after = min(later, default=len(self.lines) + 1)
        text = "\n".join((*self.lines[: mark.line - 1], *self.lines[after - 1 :])).rstrip("\n")
        return sha256(f"{text}\n".encode()).hexdigest()

    def diagnose(
        self,
        code: Code,
        path: Place,
        message: str,
        hint: str = "",
        *,
        key: bool = False,
        severity: Severity = Severity.ERROR,
    ) -> Diagnostic:
        """Say what is wrong at the value of `path`, or at its key."""
        return diagnostic_at(code, self.file, self.lines, self.mark(path, key=key), message, hint, severity)

    def line_of_keys(self) -> dict[str, int]:
        """Dotted key to line, such as `limits.max_shift`."""
        places = {**self.values, **self.keys}
        return {".".join(map(str, path)): places[path].line for path in self.values if path and ASIDE not in path}


@dataclass(frozen=True, slots=True)
class Parsed:
    """`document` is None when the file cannot be understood at all; with it there may still be errors to report."""

    document: Document | None
    diagnostics: tuple[Diagnostic, ...]


def read(path: Path) -> Parsed:
    """Read and parse a file. Never raises for what the file holds or whether it is there."""
    return parse(bytes_of(path), str(path))


def parse(raw: bytes | Diagnostic, file: str) -> Parsed:
    """Parse the bytes of a file, unless it has been said already why there are none."""
    if isinstance(raw, Diagnostic):
        return Parsed(None, (raw,))
    if len(raw) > MAX_BYTES:
        return Parsed(None, (_too_large(file),))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Parsed(None, (_not_utf8(file, raw, error),))
    lines = tuple(BREAK.split(text))
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE:
            message = f"the line has {len(line)} characters, more than {MAX_LINE}"
            return Parsed(None, (diagnostic_at(Code.TOO_COMPLEX, file, lines, Mark(number, 1), message),))
    tree = Tree.of(file, lines, text)
    problems = tuple(tree.problems)
    if not isinstance(tree.data, dict):
        return Parsed(None, problems)
    return Parsed(Document(file, tree.data, tree.keys, tree.values, lines, sha256(raw).hexdigest()), problems)


# -- bytes -------------------------------------------------------------------------------------------------------------


def bytes_of(path: Path) -> bytes | Diagnostic:
    """The content, never more than the limit, and never waiting for a pipe."""
    file = str(path)
    try:
        return read_regular(path, MAX_BYTES)
    except TooLarge:
        return _too_large(file)
    except NotRegular as error:
        return about_file(Code.UNREADABLE, file, str(error.strerror))
    except OSError as error:
        return about_file(Code.UNREADABLE, file, f"it cannot be read: {error.strerror or error}")


def _too_large(file: str) -> Diagnostic:
    hint = "one service per file: split it, or look whether it is the right file"
    return about_file(Code.TOO_LARGE, file, f"it is larger than {MAX_BYTES // 1024} KiB and was not read", hint)


def _not_utf8(file: str, raw: bytes, error: UnicodeDecodeError) -> Diagnostic:
    good = raw[: error.start].decode("utf-8", "replace")
    before = BREAK.split(good)
    after = raw[error.start : error.start + MAX_LINE].decode("utf-8", "replace")
    lines = (*before[:-1], before[-1] + BREAK.split(after)[0])
    message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
    return diagnostic_at(
        Code.NOT_UTF8, file, lines, Mark(len(before), len(before[-1]) + 1), message, "save it as UTF-8"
    )
