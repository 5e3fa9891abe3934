"""What a change of files says otherwise: each setting, by the key of its file, and which of that a reviewer has to see.

Everything that a policy says is compared, with its defaults, whatever the words or the order of the file are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from failoverd.config.values import HostPort
from failoverd.core.records import (
    AllDown,
    Endpoint,
    Limits,
    Maintenance,
    Model,
    NamedPlace,
    Policy,
    Practice,
    Ration,
    RecordKey,
    RecordSpec,
    Target,
    tier_name,
)
from failoverd.core.rules import Assertion, Gate, Rule
from failoverd.telemetry.phrases import counted, duration, percent

MISSING: Final = "nothing"
"""How a setting is told that is not said."""


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """What files say together: their policies by name, and what the inventory says of all of them."""

    policies: Mapping[str, Policy]
    rules: tuple[Rule, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    practices: tuple[Practice, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that says something else. `policy`: "" for the inventory. `key`: dotted, as in the file."""

    policy: str
    key: str
    before: str
    after: str


class AlarmKind(StrEnum):
    """What a reviewer has to see, the worst first. Programs read the names, which stay as they are."""

    PROMISE_BROKEN = "promise_broken"
    NOBODY_SERVES = "nobody_serves"
    OVERLOADS = "overloads"
    SENT_TO_LOST = "sent_to_lost"
    RESIDENCY_OPENED = "residency_opened"
    JURISDICTION = "jurisdiction"
    POLICY_REMOVED = "policy_removed"
    RECORD_LEFT = "record_left"
    RECORD_MOVED = "record_moved"
    MIN_REGIONS_LOWERED = "min_regions_lowered"
    RULE_REMOVED = "rule_removed"
    RULE_RELAXED = "rule_relaxed"
    WHEN_ALL_DOWN = "when_all_down"
    LIMIT_RELAXED = "limit_relaxed"
    TIER_LOWERED = "tier_lowered"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a reviewer has to see, of one policy, or "" for several; `said` has words of the files in it."""

    kind: AlarmKind
    policy: str
    said: str


def settings_changed(old: PolicyFiles, new: PolicyFiles) -> list[SettingChange]:
    """Of policies that both have, and of the inventory, which comes first."""
    found = dict.fromkeys(_differences("", _inventory(old), _inventory(new)))
    own = list[SettingChange]()
    for name in sorted(old.policies.keys() & new.policies.keys()):
        for each in _differences(name, _settings(old.policies[name]), _settings(new.policies[name])):
            if each.key.startswith("regions.") and each.key.rpartition(".")[2] in _OF_INVENTORY:
                found[replace(each, policy="")] = None  # once, and not for each policy that has the region
            else:
                own.append(each)
    return [*found, *own]


_OF_INVENTORY: Final = frozenset(
    {
        "capacity",
        "cloud",
        "headroom",
        "jurisdiction",
        "models",
        "unit",
        "egress_per_gb",
        "per_million_tokens",
        "bandwidth",
        "price_per_gb",
    }
)
"""What the inventory says of a region."""


def rules_alike(old: PolicyFiles, new: PolicyFiles) -> bool:
    """Whether the inventory says the same of all policies."""
    return _inventory(old) == _inventory(new)


def alike(old: Policy, new: Policy) -> bool:
    """Whether two policies say the same."""
    return _settings(old) == _settings(new)


def alarming(old: PolicyFiles, new: PolicyFiles) -> list[Alarm]:
    """What a reviewer has to see of it: what is no longer promised, or belongs to somebody else."""
    found = [*_moved(old, new)]
    for name in sorted(old.policies.keys() & new.policies.keys()):
        for look in _LOOKS:
            found += look(old.policies[name], new.policies[name])
    return [*found, *_rules_relaxed(old.rules, new.rules)]


# -- every setting, by its key -----------------------------------------------------------------------------------------


_Place = tuple[str, ...]
"""A key of the file, in parts: names of records have dots of their own."""


def _differences(policy: str, old: Mapping[_Place, str], new: Mapping[_Place, str]) -> Iterator[SettingChange]:
    """Each once: a part that is new or gone as a whole, and what tuning and returning have in common as one."""
    apart = [place for place in {**new, **old} if old.get(place, MISSING) != new.get(place, MISSING)]
    whole = [_parts(side) for side in (old, new)]
    told = set[_Place]()
    for place in apart:
        part = place[:2]
        if part[0] in _PARTED and any(part not in side for side in whole):
            if part not in told:
                told.add(part)
                yield SettingChange(policy, ".".join(part), *(_together(part, side) for side in (old, new)))
            continue
        if _is_twin(place, old, new):
            if place[1] == "tuning":
                yield SettingChange(policy, f"limits.{place[2]}", old[place], new[place])
            continue
        yield SettingChange(policy, ".".join(place), old.get(place, MISSING), new.get(place, MISSING))


_PARTED: Final = frozenset({"records", "regions", "checks", "dependencies", "rules"})
"""Keys below which each part has a name."""


def _parts(settings: Mapping[_Place, str]) -> set[_Place]:
    return {place[:2] for place in settings}


def _together(part: _Place, settings: Mapping[_Place, str]) -> str:
    """A part in one line."""
    inner = {place[2:]: words for place, words in settings.items() if place[:2] == part and words not in {"", MISSING}}
    said = [f"{'.'.join(place)} {words}" for place, words in inner.items() if not _OF_INVENTORY.intersection(place)]
    return ", ".join(said) or MISSING


def _is_twin(place: _Place, old: Mapping[_Place, str], new: Mapping[_Place, str]) -> bool:
    """Whether it is said of both tuning and returning, as one key of the file says it."""
    if place[0] != "limits" or place[1] not in _TWINS:
        return False
    return all(len({side.get(("limits", cause, place[2])) for cause in _TWINS}) == 1 for side in (old, new))


_TWINS: Final = ("tuning", "returning")


def _settings(policy: Policy) -> dict[_Place, str]:
    folder = Path(policy.source.file).parent
    found = dict[_Place, str]()
    for each in fields(policy):
        if each.name not in _UNSAID:
            found |= _leaves((each.name,), getattr(policy, each.name), folder)
    return {_key(place): words for place, words in found.items()}


_UNSAID: Final = frozenset({"name", "source"})
"""Fields of a policy of which nobody has to be told that they differ."""


def _key(place: _Place) -> _Place:
    """The key of the file, where the field is called otherwise."""
    if place[0] == "health" and place[1:] in _HEALTH:
        return ("health", *_HEALTH[place[1:]])
    return (*_KEYS.get(place[0], place[:1]), *(each for each in place[1:] if each != "settings"))


_KEYS: Final[Mapping[str, _Place]] = {
    "failback_after": ("failback", "after"),
    "ramp": ("failback", "ramp"),
    "when_all_down_place": ("when_all_down", "answer"),
    "trickle": ("standby", "trickle"),
}

_HEALTH: Final[Mapping[_Place, _Place]] = {
    ("checks",): ("checks", "at_least"),
    **{(f"degraded_{each}",): ("degraded", each) for each in ("window", "enter", "leave")},
    **{(f"flap_{each}",): ("flap", each) for each in ("penalty", "half_life", "suppress", "reuse", "max_suppress")},
}


def _inventory(said: PolicyFiles) -> dict[_Place, str]:
    """What it says of all policies. What it says of a region is a part of each policy that has it."""
    found = _leaves(("rules",), said.rules)
    found |= _leaves(("maintenance",), said.maintenance)
    return found | _leaves(("practice",), said.practices)


def _leaves(place: _Place, value: object, folder: Path = Path()) -> dict[_Place, str]:
    """Everything within a value, by its place. Files are named from the `folder` on, as a policy names them."""
    if isinstance(value, Path) and value.is_relative_to(folder):
        return {place: str(value.relative_to(folder))}
    if (words := _in_words(place[-1], value)) is not None:
        return {place: words or MISSING}
    if isinstance(value, list | tuple | set | frozenset) and not any(map(_has_parts, value)):
        said = [str(_in_words(place[-1], each)) for each in value]
        return {place: ", ".join(said if isinstance(value, list | tuple) else sorted(said)) or MISSING}
    found = dict[_Place, str]()
    for name, each in _inner(value).items():
        found |= _leaves((*place, name), each, folder)
    return found


def _has_parts(value: object) -> bool:
    return _in_words("", value) is None


def _inner(value: object) -> Mapping[str, object]:
    """The parts of a value, by name; or by number, where they have none."""
    if isinstance(value, Ration):
        return {
            "max_shift": f"{percent(value.max_shift)} per {duration(value.shift_window)}",
            "max_changes": f"{value.max_changes} per {duration(value.changes_window)}",
        }
    if isinstance(value, BaseModel):
        usual = {name: each.get_default(call_default_factory=True) for name, each in type(value).model_fields.items()}
        return {name: getattr(value, name) for name in usual if getattr(value, name) != usual[name]}
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value) if each.name not in _MARKS}
    if isinstance(value, Mapping):
        return {str(name): each for name, each in value.items()}
    listed = value if isinstance(value, list | tuple | set | frozenset) else ()
    return {_named(each) or str(number): each for number, each in enumerate(listed, 1)}


_MARKS: Final = frozenset({"name", "at", "uses_network", "connects", "room"})
"""Fields that are in the key already, say where something is written, or follow from others."""


def _named(value: object) -> str:
    """The name of a part, by which it is told from the others of its list."""
    if isinstance(value, RecordSpec):
        return str(value.key)
    name = getattr(value, "name", "")
    return name if isinstance(name, str) else ""


def _in_words(key: str, value: object) -> str | None:  # noqa: PLR0911 - one line for each type
    """A value that is told as a whole, as people write it; None for what has parts."""
    match value:
        case str():
            return str(value)
        case None:
            return "manual" if key == "failback_after" else MISSING
        case bool():
            return "yes" if value else "no"
        case Endpoint() | RecordKey():
            return value.text if isinstance(value, Endpoint) else str(value)
        case Model():
            return str(value)
        case NamedPlace():
            return value.name
        case Target():
            return value.provider
        case HostPort():
            return value.address if value.port is None else f"{value.address} port {value.port}"
        case int() | float():
            return _number(key, value)
    return None if _has_places(value) else str(value)


def _has_places(value: object) -> bool:
    """Whether there is anything in it that has a name, or a number."""
    return is_dataclass(value) or isinstance(value, BaseModel | Mapping | list | tuple | set | frozenset)


def _number(key: str, value: float) -> str:
    if key == "tier":
        return tier_name(int(value))
    if key in _PARTS:
        return percent(value)
    return duration(value) if key in _TIMES else f"{value:.10g}"


_PARTS: Final = frozenset(
    {
        "share",
        "steps",
        "headroom",
        "trickle",
        "min_step",
        "degraded_below",
        "down_below",
        "recover_margin",
        "degraded_enter",
        "degraded_leave",
        "save",
    }
)
"""Numbers in basis points."""

_TIMES: Final = frozenset(
    {
        "failback_after",
        "every",
        "timeout",
        "recheck",
        "ttl",
        "step",
        "judge",
        "flap_half_life",
        "flap_max_suppress",
        "warm_up",
        "slack",
        "leave",
        "window",
        "else_after",
        "lasts",
        "over",
        "short",
        "slow",
    }
)
"""Numbers in seconds."""


# -- what a reviewer has to see ----------------------------------------------------------------------------------------


def _moved(old: PolicyFiles, new: PolicyFiles) -> Iterator[Alarm]:
    """Records that another policy steers now, or none."""
    before, after = _owners(old), _owners(new)
    gone = dict[str, int]()
    for place, (owner, said) in sorted(before.items()):
        now, _ = after.get(place, ("", ""))
        if not now and owner not in new.policies:
            gone[owner] = gone.get(owner, 0) + 1
        elif not now:
            yield Alarm(AlarmKind.RECORD_LEFT, owner, f"{said} is steered by no policy any more: it stays as it stands")
        elif now != owner:
            yield Alarm(AlarmKind.RECORD_MOVED, now, f"{said} moves from {owner} to {now}")
    for owner, number in gone.items():
        records = counted(number, "record stays as it stands", "records stay as they stand")
        yield Alarm(AlarmKind.POLICY_REMOVED, owner, f"is gone: {records}, and nothing steers them")


def _owners(said: PolicyFiles) -> dict[tuple[str, str, str], tuple[str, str]]:
    """By the record and its place: whose it is, and how it is called."""
    return {
        (str(target.key), target.provider, target.zone): (name, str(target))
        for name, policy in said.policies.items()
        for target in policy.targets
    }


def _owner(old: Policy, new: Policy) -> Iterator[Alarm]:
    if old.owner != new.owner:
        yield Alarm(AlarmKind.OWNER, new.name, f"its owner is {new.owner or MISSING}, and was {old.owner or MISSING}")


def _residency(old: Policy, new: Policy) -> Iterator[Alarm]:
    if not old.residency:
        return
    where = ", ".join(new.residency) or "anywhere"
    if not new.residency or set(new.residency) - set(old.residency):
        yield Alarm(
            AlarmKind.RESIDENCY_OPENED, new.name, f"may answer from {where}, and might from {', '.join(old.residency)}"
        )
    laws = {spec.name: spec.jurisdiction for spec in old.regions}
    for spec in new.regions:
        was = laws.get(spec.name, spec.jurisdiction)
        if was not in old.residency and was != spec.jurisdiction and spec.jurisdiction in old.residency:
            said = f"{spec.name} is said to be under {spec.jurisdiction}, and was under {was or MISSING}: it may answer"
            yield Alarm(AlarmKind.JURISDICTION, new.name, said)


def _limits(old: Policy, new: Policy) -> Iterator[Alarm]:
    if new.limits.min_regions < old.limits.min_regions:
        said = f"limits.min_regions is {new.limits.min_regions}, and was {old.limits.min_regions}"
        yield Alarm(AlarmKind.MIN_REGIONS_LOWERED, new.name, said)
    seen = set[str]()
    for cause in ("tuning", "returning", "making_room"):
        for said in _faster(_ration(old.limits, cause), _ration(new.limits, cause)):
            if said not in seen:
                seen.add(said)
                yield Alarm(AlarmKind.LIMIT_RELAXED, new.name, said)


def _ration(limits: Limits, cause: str) -> Ration:
    found: Ration = getattr(limits, cause)
    return found


def _faster(old: Ration, new: Ration) -> Iterator[str]:
    """Limits that let more pass within the same time."""
    pairs: tuple[tuple[str, Callable[[Ration], tuple[int, float]], Callable[[float], str]], ...] = (
        ("max_shift", lambda each: (each.max_shift, each.shift_window), percent),
        ("max_changes", lambda each: (each.max_changes, each.changes_window), lambda number: f"{number:g}"),
    )
    for key, read, say in pairs:
        (had, within), (has, now) = read(old), read(new)
        if has > had or (now < within and has >= had):
            yield f"limits.{key} is {say(has)} per {duration(now)}, and was {say(had)} per {duration(within)}"


def _all_down(old: Policy, new: Policy) -> Iterator[Alarm]:
    before, after = map(_when_all_down, (old, new))
    if before != after:
        yield Alarm(
            AlarmKind.WHEN_ALL_DOWN, new.name, f"when every region is down it answers: {after}; it was: {before}"
        )


def _when_all_down(policy: Policy) -> str:
    place = policy.when_all_down_place
    return place.name if policy.when_all_down is AllDown.ANSWER and place is not None else policy.when_all_down.value


def _tier(old: Policy, new: Policy) -> Iterator[Alarm]:
    if new.tier > old.tier:
        said = f"is served after more others: tier {tier_name(new.tier)}, and was {tier_name(old.tier)}"
        yield Alarm(AlarmKind.TIER_LOWERED, new.name, said)


_LOOKS: Final[Sequence[Callable[[Policy, Policy], Iterator[Alarm]]]] = (_residency, _limits, _all_down, _tier, _owner)


def _rules_relaxed(old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[Alarm]:
    after = {rule.name: rule for rule in new}
    for rule in old:
        now = after.get(rule.name)
        if now is None:
            yield Alarm(AlarmKind.RULE_REMOVED, "", f"rule {rule.name} is gone")
        elif less := ", ".join(_less(rule, now)):
            yield Alarm(AlarmKind.RULE_RELAXED, "", f"rule {rule.name} asks for less: {less}")


def _less(old: Rule, new: Rule) -> Iterator[str]:
    if isinstance(old.says, Assertion) and isinstance(new.says, Assertion):
        if new.says.at_least < old.says.at_least:
            yield f"at_least {new.says.at_least}, and was {old.says.at_least}"
        if new.says.share < old.says.share:
            yield f"share {percent(new.says.share)}, and was {percent(old.says.share)}"
        if set(new.says.of) - set(old.says.of):
            yield f"of {', '.join(new.says.of)}, and was of {', '.join(old.says.of)}"
    elif isinstance(old.says, Gate) and isinstance(new.says, Gate):
        if gone := sorted(old.says.on - new.says.on):
            yield f"no gate for {', '.join(gone)} any more"
    else:
        yield "it is of another kind"
    if new.policies and set(new.policies) != set(old.policies):
        yield f"binds {', '.join(new.policies)}, and bound {', '.join(old.policies) or 'all'}"
    if new.else_after < old.else_after:
        yield f"else_after {duration(new.else_after)}, and was {duration(old.else_after)}"
    if new.people < old.people:
        yield f"people {new.people}, and was {old.people}"
