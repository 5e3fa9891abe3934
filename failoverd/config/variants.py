"""Policies with some of their keys changed, as texts: whoever reads these reads a file that somebody edited so.

A text is changed at the place of the key alone, so everything else stays as it is written, in its line and column.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from failoverd.config.diagnostics import shown, suggestion
from failoverd.config.documents import bytes_of, parse
from failoverd.config.writing import flow
from failoverd.core.errors import ConfigError
from failoverd.core.records import Policy

_DEEPEST = 32
"""Steps of a key: more than any file has."""

_WRITE = "write KEY=VALUE, such as failback.after=10m, or POLICY:KEY=VALUE"


@dataclass(frozen=True, slots=True)
class KeyEdit:
    """One key of a policy that is another one. `policy` is "" where it is not said whose."""

    policy: str
    key: tuple[str, ...]
    value: Any
    text: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Reads `failback.after=10m` and `inference-api:failback.after=10m`. Raises ConfigError."""
        left, sign, right = text.partition("=")
        policy, colon, key = left.rpartition(":")
        path = tuple(key.strip().split("."))
        parsed = parse(f"value: {right}".encode(), "")
        sound = sign and all(path) and len(path) <= _DEEPEST and (policy or not colon)
        # more than one key: what stands in a line of its own is none of this value, and would be dropped without a word
        if not sound or parsed.document is None or parsed.diagnostics or list(parsed.document.data) != ["value"]:
            raise ConfigError(
                f"{shown(text)} changes nothing that can be read", reason="edit_unreadable", remedy=_WRITE
            )
        if parsed.document.data.get("value") is None:
            remedy = f"a key without a value is an error in every file; {_WRITE}"
            raise ConfigError(f"{shown(text)} says no value", reason="edit_unreadable", remedy=remedy)
        return cls(policy.strip(), path, parsed.document.data["value"], text)


def edited(edits: Iterable[KeyEdit], policies: Mapping[str, Policy], usual: str) -> dict[Path, bytes]:
    """The texts of the policies that these edits change, by their files. `usual` is whose they are that do not say it.

    Raises:
        ConfigError: a policy is not there, or a key cannot be written where the edit wants it.
    """
    texts: dict[Path, bytes] = {}
    for edit in edits:
        name = edit.policy or usual
        if name not in policies:
            hint = suggestion(name, sorted(policies)) if name else f"say whose: POLICY:{edit.text}"
            what = f"there is no policy {shown(name)}" if name else f"{shown(edit.text)} is of no policy"
            raise ConfigError(what, reason="policy_unknown", remedy=hint)
        file = Path(policies[name].source.file)
        texts[file] = _with(texts.get(file) or _read(file), edit)
    return texts


def _read(file: Path) -> bytes:
    raw = bytes_of(file)
    if not isinstance(raw, bytes):
        raise ConfigError(f"{file} cannot be read: {raw.message}", reason="policy_unreadable")
    return raw


def _with(text: bytes, edit: KeyEdit) -> bytes:
    """The text with one key changed."""
    said = text.decode("utf-8-sig")
    root = YAML(typ="safe", pure=True).compose(said)
    return _put(said, root, edit.key, edit).encode()


def _put(text: str, node: Node, path: Sequence[str], edit: KeyEdit) -> str:
    """What stands in the way and is no mapping, as in `failback: manual`, becomes one."""
    step, rest = path[0], path[1:]
    within = _within(node, step, edit)
    if within is None:
        return _inserted(text, node, {step: _nested(rest, edit.value)})
    if rest and not isinstance(within, ScalarNode):
        return _put(text, within, rest, edit)
    new = _flow(_nested(rest, edit.value))
    return text[: within.start_mark.index] + new + text[_end(text, within) :]


def _within(node: Node, step: str, edit: KeyEdit) -> Node | None:
    """The value of a key, or an item by its number. None: a mapping has no such key."""
    if isinstance(node, MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if step.isascii() and step.isdigit() and int(step) < len(node.value):
        item: Node = node.value[int(step)]
        return item
    words = f"{'.'.join(edit.key)} leads to a list of {len(node.value)}, which has no {shown(step)}"
    raise ConfigError(words, reason="edit_unreadable", remedy="write its number, the first is 0: records.0.ttl=60s")


def _inserted(text: str, node: Node, entry: Mapping[str, object]) -> str:
    """With one more key in a mapping, in its last line where it is in braces, else in a line of its own."""
    words = _flow(entry)[1:-1]
    if _in_braces(node):
        at = node.end_mark.index - 1
        return f"{text[:at]}{', ' if node.value else ''}{words}{text[at:]}"
    at = text.find("\n", _end(text, node))
    at = len(text) if at < 0 else at
    return f"{text[:at]}\n{' ' * node.start_mark.column}{words}{text[at:]}"


def _in_braces(node: Node) -> bool:
    return isinstance(node, CollectionNode) and bool(node.flow_style)


def _end(text: str, node: Node) -> int:
    """Where its last word ends: what follows is a comment, or nothing of it."""
    if isinstance(node, ScalarNode) or _in_braces(node):
        end: int = node.end_mark.index
        return len(text[:end].rstrip("\n")) if getattr(node, "style", None) in {"|", ">"} else end
    last = node.value[-1]
    return _end(text, last[1] if isinstance(node, MappingNode) else last)


def _nested(path: Sequence[str], value: object) -> object:
    return {path[0]: _nested(path[1:], value)} if path else value


def _flow(value: object) -> str:
    try:
        return flow(value)
    except (ValueError, TypeError) as error:
        raise ConfigError(str(error), reason="edit_unreadable", remedy=_WRITE) from error
