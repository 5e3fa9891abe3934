"""From names to what is meant. What kind of thing a name is of is never guessed where it could be of two."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from failoverd.api.shapes import NamesTold, WordTold
from failoverd.cli.failing import unknown, usage
from failoverd.cli.screen import shown
from failoverd.core.overrides import Scope
from failoverd.settings import parse_record_name

_GLOB: Final = frozenset("*?[")

_LONGEST: Final = 260
"""Characters of a name, or of a glob."""

_OPTIONS: Final = {
    "policy": "--policy",
    "record": "--record",
    "region": "--region",
    "cloud": "--cloud",
    "endpoint": "--endpoint",
}


@dataclass(frozen=True, slots=True)
class Known:
    """Every name that there is, by what it is of."""

    names: dict[str, frozenset[str]]
    regions_of: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, told: NamesTold) -> "Known":
        endpoints = {each for policy in told.policies for each in policy.endpoints}
        names = {
            "policy": {policy.policy for policy in told.policies},
            "record": {each for policy in told.policies for each in policy.records},
            "region": {each for policy in told.policies for each in policy.regions},
            "cloud": {each for policy in told.policies for each in policy.regions.values() if each},
            "endpoint": {name for each in endpoints for name in _called(*each.split("/", 1))},
        }
        return cls(
            {kind: frozenset(found) for kind, found in names.items()},
            {policy.policy: frozenset(policy.regions) for policy in told.policies},
        )

    def with_words(self, words: Iterable[WordTold]) -> "Known":
        """With the names that words use: what somebody said may be about something that is gone since."""
        said: dict[str, set[str]] = {kind: set(found) for kind, found in self.names.items()}
        for scope in (word.scope for word in words):
            said["policy"].update(scope.policies)
            said["record"].update(scope.records)
            said["region"].update(scope.regions)
            said["cloud"].update(scope.clouds)
            said["endpoint"].update(scope.endpoints)
        return Known({kind: frozenset(found) for kind, found in said.items()}, self.regions_of)


def _called(region: str, endpoint: str) -> tuple[str, ...]:
    """All that people may call an endpoint: with its region or without, with its port or without."""
    host, colon, port = endpoint.rpartition(":")
    bare = host.strip("[]") if colon and port.isdecimal() and (host.startswith("[") or ":" not in host) else endpoint
    return f"{region}/{endpoint}", f"{region}/{bare}", endpoint, bare


def scope_of(
    known: Known, names: Sequence[str], kinds: Sequence[str], options: dict[str, Sequence[str]] | None = None
) -> Scope:
    """What positional names, each of one of these kinds, and options are about.

    Raises:
        typer.BadParameter: a name is of nothing, of another kind, or of two.
    """
    found: dict[str, list[str]] = {kind: [] for kind in _OPTIONS}
    for kind, said in (options or {}).items():
        found[kind] += [_checked(known, kind, name) for name in said]
    for name in names:
        kind, plain = _kind(known, name, kinds)
        found[kind].append(plain)
    return Scope(**{_FIELDS[kind]: tuple(dict.fromkeys(said)) for kind, said in found.items()})


_FIELDS: Final = {
    "policy": "policies",
    "record": "records",
    "region": "regions",
    "cloud": "clouds",
    "endpoint": "endpoints",
}


def _checked(known: Known, kind: str, name: str) -> str:
    plain = _plain(kind, name)
    if not _fits(known, kind, plain):
        raise unknown(kind, name, sorted(known.names[kind]), *_elsewhere(known, name, (kind,)))
    return plain


def _kind(known: Known, name: str, kinds: Sequence[str]) -> tuple[str, str]:
    fitting = [(kind, _plain(kind, name)) for kind in kinds if _fits(known, kind, _plain(kind, name))]
    if len(fitting) > 1:
        said = " and ".join(_a(kind) for kind, _ in fitting)
        ways = " or ".join(f"{_OPTIONS[kind]} {name}" for kind, _ in fitting)
        raise usage(shown(f"{name!r} is {said}: say which is meant, {ways}"))
    if not fitting:
        candidates = sorted(each for kind in kinds for each in known.names[kind] if not _long(kind, each))
        raise unknown(" or ".join(kinds), name, candidates, *_elsewhere(known, name, kinds))
    return fitting[0]


def _long(kind: str, name: str) -> bool:
    """Endpoints are called by several names, of which the shortest is enough to be suggested."""
    return kind == "endpoint" and "/" in name


def _elsewhere(known: Known, name: str, kinds: Sequence[str]) -> list[str]:
    """That the name is of another kind, and how to say so."""
    others = [kind for kind in _OPTIONS if kind not in kinds and _fits(known, kind, _plain(kind, name))]
    return [f"it is {_a(kind)}: {_OPTIONS[kind]} {name}" for kind in others if kind != "region"]


def _a(kind: str) -> str:
    return f"{'an' if kind == 'endpoint' else 'a'} {kind}"


def _fits(known: Known, kind: str, name: str) -> bool:
    """Whether it is one, or a glob of some. One of regions is none of endpoints, which are called after them too."""
    found = known.names[kind]
    if name in found:
        return True
    return not _GLOB.isdisjoint(name) and any(
        fnmatchcase(each, name) for each in found if not _long(kind, each) or "/" in name
    )


def _plain(kind: str, name: str) -> str:
    """A record's name as failoverd keeps it; what is no name stays as it is, and is no record's."""
    if len(name) > _LONGEST:
        raise usage(f"{shown(name[:40])!r}... has {len(name)} characters, and no name has more than {_LONGEST}")
    if kind != "record":
        return name
    parse: Callable[[str], str] = parse_record_name
    try:
        return parse(name)
    except ValueError:
        return name
