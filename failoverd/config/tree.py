"""The parser's events to plain data, noting the place of every key and value, and every problem on the way.

Only the core schema of YAML 1.2 is known. Anchors, aliases, tags and a second document are refused; depth and number of
values are bounded while reading, so that nothing is built from what is refused.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from failoverd.config.diagnostics import MOST_PROBLEMS, Code, Diagnostic, Severity, excerpt_of, shown
from failoverd.config.parsers import (
    ALIAS,
    DOCUMENT,
    MAPPING,
    MAPPING_END,
    SCALAR,
    SEQUENCE,
    SEQUENCE_END,
    STREAM_END,
    VALUE,
    Unusual,
    close_events,
    quick_events,
)

MAX_DEPTH = 32
MAX_VALUES = 20_000

Place = tuple[str | int, ...]
"""Where a value stands in a document: keys and indices from the root, such as ("records", 0, "ttl")."""

BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
ASIDE = -1  # the index that keys, and second values of duplicate keys, are placed at, out of everybody's way

# YAML 1.2.2, section 10.3.2 (tag resolution in the core schema). Longer whole numbers are read as floats, which no key
# that wants a whole number takes.
_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_OCTAL = re.compile(r"0o[0-7]{1,20}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][-+]?[0-9]{1,4})?")
_FIRST = frozenset("+-.0123456789nNtTfF~")
"""What anything but text begins with."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class Mark(NamedTuple):
    """A place in a file, both counted from 1."""

    line: int
    column: int


class _Refused(Exception):  # noqa: N818 - ends the reading of one file, and never leaves this module
    """The rest of the file is not worth reading; what is wrong has been noted."""


@dataclass(slots=True)
class Tree:
    """Turns the parser's events into plain data, noting places and problems."""

    file: str
    lines: tuple[str, ...]
    keys: dict[Place, Mark] = field(default_factory=dict)
    values: dict[Place, Mark] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)
    count: int = 0
    data: object = None

    @classmethod
    def of(cls, file: str, lines: tuple[str, ...], text: str) -> Self:
        """What a file holds: `data` of the only document, or None when there is none that could be used."""
        tree = cls(file, lines)
        try:
            tree.data = tree._stream(quick_events(text))
        except (_Refused, Unusual):
            tree.data = None
        if tree.data is None or tree.problems:
            tree = cls(file, lines)
            tree.data = tree._closely(text)
        return tree

    def _closely(self, text: str) -> object:
        try:
            return self._stream(close_events(text))
        except _Refused:
            return None
        except MarkedYAMLError as error:
            self._syntax(error)
        except ReaderError as error:
            self._control_character(error, text)
        except YAMLError as error:
            self._note(Code.NOT_YAML, Mark(1, 1), f"it is not YAML: {error}")
        except Exception as error:  # noqa: BLE001 - the parser is not ours; whatever it trips over is a bad file
            self._note(Code.NOT_YAML, Mark(1, 1), f"the YAML parser cannot read it ({type(error).__name__})")
        return None

    def _stream(self, events: Iterator[Any]) -> object:
        data: object = None
        documents = 0
        for event in events:
            if isinstance(event, DOCUMENT):
                documents += 1
                self._document_start(event, documents)
            elif isinstance(event, VALUE):
                data = self._value(event, events, (), 0)
            elif isinstance(event, STREAM_END):
                break
        if not isinstance(data, dict):
            message = "it is empty" if data is None else "it is not a mapping of keys to values"
            self._note(Code.NOT_A_MAPPING, self.values.get((), Mark(1, 1)), message, "begin it with: version: 1")
        return data

    def _document_start(self, event: Any, documents: int) -> None:  # noqa: ANN401 - the parser's events are untyped
        mark = _mark(event.start_mark)
        if documents > 1:
            self._note(Code.SEVERAL_DOCUMENTS, mark, "a second document begins here", "one file holds one document")
            raise _Refused
        if event.version is not None and tuple(event.version) != (1, 2):
            version = ".".join(map(str, event.version))
            self._note(Code.WRONG_YAML, Mark(1, 1), f"it asks for YAML {version}", "files are YAML 1.2: remove %YAML")

    def _value(self, event: Any, events: Iterator[Any], path: Place, depth: int) -> object:  # noqa: ANN401 - as above
        mark = _mark(event.start_mark)
        self.values[path] = mark
        self._bound(mark, depth)
        self._plainly(event, mark)
        if isinstance(event, SCALAR):
            return self._scalar(event, mark)
        if isinstance(event, SEQUENCE):
            return self._sequence(events, path, depth)
        if isinstance(event, MAPPING):
            return self._mapping(events, path, depth)
        return None

    def _bound(self, mark: Mark, depth: int) -> None:
        self.count += 1
        if depth > MAX_DEPTH:
            self._note(Code.TOO_COMPLEX, mark, f"it is nested more than {MAX_DEPTH} levels deep")
            raise _Refused
        if self.count > MAX_VALUES:
            self._note(Code.TOO_COMPLEX, mark, f"it has more than {MAX_VALUES} values")
            raise _Refused

    def _plainly(self, event: Any, mark: Mark) -> None:  # noqa: ANN401 - as above
        if isinstance(event, ALIAS) or event.anchor is not None:
            sign = "alias *" if isinstance(event, ALIAS) else "anchor &"
            name = shown(sign + str(event.anchor))
            wildcard = isinstance(event, ALIAS) and str(event.anchor).startswith(".")
            hint = f'put quotes around the name of a wildcard: "*{event.anchor}"' if wildcard else "write the value out"
            self._note(Code.ALIAS, mark, f"{name}: anchors and aliases are not supported", hint)
        elif getattr(event, "tag", None) is not None:
            hint = "remove the tag; put quotes around a value that is to be text"
            self._note(Code.TAG, mark, f"tag {shown(event.tag)}: tags are not supported", hint)

    def _scalar(self, event: Any, mark: Mark) -> object:  # noqa: ANN401 - as above
        text = str(event.value)
        if _SURROGATE.search(text):
            self._note(Code.NOT_PLAIN, mark, "it holds half of a surrogate pair", "write the character itself")
            return ""
        value = resolve(text) if event.style in {None, ""} else text
        if isinstance(value, float) and not math.isfinite(value):
            self._note(Code.NOT_PLAIN, mark, f"{shown(text)} is not a finite number")
            return 0
        return value

    def _sequence(self, events: Iterator[Any], path: Place, depth: int) -> list[object]:
        items: list[object] = []
        for event in events:
            if isinstance(event, SEQUENCE_END):
                break
            items.append(self._value(event, events, (*path, len(items)), depth + 1))
        return items

    def _mapping(self, events: Iterator[Any], path: Place, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        for event in events:
            if isinstance(event, MAPPING_END):
                break
            mark = _mark(event.start_mark)
            key = self._key(event, events, path, depth)
            if key in found:
                first = self.keys[(*path, key)].line
                self._note(Code.DUPLICATE_KEY, mark, f"duplicate key {shown(key)}, first written on line {first}")
                self._value(next(events), events, (*path, key, ASIDE), depth + 1)
                continue
            self.keys[(*path, key)] = mark
            found[key] = self._value(next(events), events, (*path, key), depth + 1)
        return found

    def _key(self, event: Any, events: Iterator[Any], path: Place, depth: int) -> str:  # noqa: ANN401 - as above
        key = self._value(event, events, (*path, ASIDE), depth + 1)
        if isinstance(key, str):
            return key
        hint = f'write "{event.value}" with quotes' if isinstance(event, SCALAR) else ""
        self._note(Code.KEY_NOT_TEXT, _mark(event.start_mark), "the key is not text", hint)
        return str(getattr(event, "value", ""))

    # -- problems ------------------------------------------------------------------------------------------------------

    def _note(self, code: Code, mark: Mark, message: str, hint: str = "") -> None:
        self.problems.append(diagnostic_at(code, self.file, self.lines, mark, message, hint))
        if len(self.problems) >= MOST_PROBLEMS:
            text = "there may be more problems: reading stops here"
            self.problems.append(diagnostic_at(Code.MORE, self.file, self.lines, mark, text))
            raise _Refused

    def _syntax(self, error: MarkedYAMLError) -> None:
        at = error.problem_mark or error.context_mark
        mark = _mark(at) if at is not None else Mark(1, 1)
        problem = " ".join(str(error.problem or error.context or "cannot be read").split())
        while_doing = f"{error.context} that began on line {_mark(error.context_mark).line}: " if _apart(error) else ""
        self._note(Code.NOT_YAML, mark, f"it is not YAML: {while_doing}{problem[:200]}", _hint(self.lines, mark))

    def _control_character(self, error: ReaderError, text: str) -> None:
        before = BREAK.split(text[: error.position])
        message = f"character U+{ord(text[error.position]):04X} is not allowed in YAML"
        self._note(Code.NOT_YAML, Mark(len(before), len(before[-1]) + 1), message)


def resolve(text: str) -> object:
    """What a plain scalar means in the core schema (YAML 1.2.2, section 10.3.2)."""
    if text and text[0] not in _FIRST:
        return text  # most scalars, so it comes before everything
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    return _number(text)


def _number(text: str) -> int | float | str:
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return int(text, 0)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return float(text) if _FLOAT.fullmatch(text) else text


def _mark(mark: Any) -> Mark:  # noqa: ANN401 - the parser's marks are untyped
    return Mark(mark.line + 1, mark.column + 1)


def _apart(error: MarkedYAMLError) -> bool:
    """Whether the problem began on another line than it was noticed on."""
    began, noticed = error.context_mark, error.problem_mark
    return bool(error.context and began and noticed and began.line != noticed.line)


def _hint(lines: tuple[str, ...], mark: Mark) -> str:
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces: YAML does not take tabs"
    return ""


def diagnostic_at(
    code: Code,
    file: str,
    lines: tuple[str, ...],
    mark: Mark,
    message: str,
    hint: str = "",
    severity: Severity = Severity.ERROR,
) -> Diagnostic:
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    return Diagnostic(code, severity, file, mark.line, mark.column, message, excerpt_of(line), hint)
