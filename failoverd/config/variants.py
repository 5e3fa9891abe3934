"""Policies with some of their keys changed, as texts: whoever reads these reads a file that somebody edited so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML

from failoverd.config.diagnostics import shown, suggestion
from failoverd.config.documents import bytes_of, parse
from failoverd.core.errors import ConfigError
from failoverd.core.records import Policy

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
        if not sign or not all(path) or (colon and not policy) or parsed.document is None or parsed.diagnostics:
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
    """The text with one key changed, everything else where it was."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    data = yaml.load(text)
    _put(data, edit.key, edit)
    out = StringIO()
    yaml.dump(data, out)
    return out.getvalue().encode()


def _put(data: Any, path: Sequence[str], edit: KeyEdit) -> None:  # noqa: ANN401 - any part of a file
    """Set it in place. What stands in the way and is no mapping, as in `failback: manual`, becomes one."""
    step: Any = path[0]
    if isinstance(data, list):
        if not step.isdigit() or int(step) >= len(data):
            words = f"{'.'.join(edit.key)} leads to a list of {len(data)}, which has no {shown(step)}"
            remedy = "write its number, the first is 0: records.0.ttl=60s"
            raise ConfigError(words, reason="edit_unreadable", remedy=remedy)
        step = int(step)
    if len(path) == 1:
        data[step] = edit.value
        return
    known = step in range(len(data)) if isinstance(data, list) else step in data
    if not known or not isinstance(data[step], dict | list):
        data[step] = {}
    _put(data[step], path[1:], edit)
