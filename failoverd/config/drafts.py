"""What a file says after its own shape is right: a policy file with its checks, a daemon file with its providers.

A draft is not a policy yet: nobody has looked whether its parts fit each other.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, TypeVar

from pydantic import Field, create_model

from failoverd.config.diagnostics import Code, Diagnostic, nearest, shown, suggestion
from failoverd.config.documents import Document
from failoverd.config.schema.policy_file import PolicyFile
from failoverd.config.validation import say, validate
from failoverd.config.values import EndpointText, HostPort
from failoverd.core.records import WHOLE, Capabilities, Check, Dependency, Endpoint, RecordType, Weights
from failoverd.ports import Access, ProbeKind, Provider, ProviderKind, ReceiverKind
from failoverd.settings import CheckSettings, ProviderSettings, ReceiverSettings


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """One configured provider: its name in policies, its kind, and its validated settings."""

    name: str
    kind: ProviderKind
    settings: ProviderSettings

    @property
    def capabilities(self) -> Capabilities:
        return self.settings.narrowed(self.kind.capabilities)

    @property
    def fenced(self) -> bool:
        """Whether it refuses by itself a write that is older than what stands there."""
        return self.capabilities.fence.strict

    def zone_of(self, name: str) -> str | None:
        """The most specific of the provider's zones that holds `name`."""
        holding = [zone for zone in self.settings.zones if name == zone or name.endswith(f".{zone}")]
        return max(holding, key=len, default=None)


@dataclass(frozen=True, slots=True)
class ReceiverEntry:
    """One configured receiver of notifications: its name, its kind, and its validated settings."""

    name: str
    kind: ReceiverKind
    settings: ReceiverSettings


class AssumedProvider(ProviderEntry):
    """A provider of which nothing is known but that a policy names it: it serves the record as it is written."""

    def zone_of(self, name: str) -> str | None:
        """The domain that the name is in."""
        return name.partition(".")[2] or name


def _never(name: str, settings: ProviderSettings, access: Access) -> AbstractAsyncContextManager[Provider]:
    raise ValueError(f"{name} is assumed: it cannot be opened for {access} with {settings}")


_ASSUMED: Final = ProviderKind(
    "assumed",
    ProviderSettings,
    Capabilities(dict.fromkeys(RecordType, Weights.NATIVE), max_weight=WHOLE, aliases=True),
    _never,
)


def assumed_providers(document: Document) -> Mapping[str, ProviderEntry]:
    """A provider for each name that a policy file says, sound or not."""
    records = document.find(("records",))
    named = [each.get("providers") for each in records if isinstance(each, dict)] if isinstance(records, list) else []
    names = [name for some in named if isinstance(some, list) for name in some if isinstance(name, str)]
    settings = ProviderSettings(kind=_ASSUMED.name, zones=("assumed",))
    return {name: AssumedProvider(name, _ASSUMED, settings) for name in names}


@dataclass(frozen=True)
class Draft:
    """A policy file whose keys and values are of the right shape."""

    document: Document
    policy: PolicyFile
    checks: tuple[Check, ...]
    dependencies: tuple[Dependency, ...] = ()

    @property
    def file(self) -> str:
        return self.document.file

    @cached_property
    def endpoints(self) -> Mapping[str, tuple[Endpoint, ...]]:
        """The endpoints of each region, in the order of the file."""
        return {
            name: tuple(Endpoint(name, place.address, place.port, place.alias) for place in entry.endpoints)
            for name, entry in self.policy.regions.items()
        }

    def answers(self, region: str, record_type: RecordType) -> list[str]:
        """What a record of this type can answer with for a region."""
        found = (endpoint.answer(record_type) for endpoint in self.endpoints[region])
        return [answer for answer in found if answer is not None]

    def answering(self, record_type: RecordType) -> list[str]:
        """The regions that a record of this type can answer with."""
        return [region for region in self.policy.regions if self.answers(region, record_type)]

    def tier(self) -> list[str]:
        """The regions that serve when all is well: the lowest priority, and under weights only with a share."""
        regions = self.policy.regions
        shared = [name for name, entry in regions.items() if entry.share != 0]
        candidates = shared if self.policy.steering == "weighted" and shared else list(regions)
        first = min(regions[name].priority for name in candidates)
        return [name for name in candidates if regions[name].priority == first]


def draft_of(
    document: Document, kinds: Mapping[str, ProbeKind], check_files: Sequence[Path] | None = None
) -> tuple[Draft | None, tuple[Diagnostic, ...]]:
    """The draft that a document holds, if it can be told, and everything that is wrong with its shape.

    `check_files`: the only places of files whose content its checks may send.
    """
    found = validate(PolicyFile, document)
    diagnostics = list(found.diagnostics)
    checks, about_checks = _checks(document, "checks", kinds, _as_it_is, check_files)
    dependencies, about_dependencies = _checks(document, "dependencies", kinds, _dependency, check_files)
    diagnostics += [*about_checks, *about_dependencies]
    if found.model is None:
        return None, tuple(diagnostics)
    return Draft(document, found.model, tuple(checks), tuple(dependencies)), tuple(diagnostics)


def sentinels_of(
    document: Document, kinds: Mapping[str, ProbeKind]
) -> tuple[tuple[Dependency, ...], tuple[Diagnostic, ...]]:
    """The sentinels that a daemon's configuration holds, those that are sound, and what is wrong with the others."""
    sentinels, diagnostics = _checks(document, "sentinels", kinds, _dependency)
    return tuple(sentinels), tuple(diagnostics)


class Pointed(CheckSettings):
    """What is probed besides endpoints says its address itself."""

    address: EndpointText = Field(description="address or host name, with or without port")


@cache
def pointed(settings: type[CheckSettings]) -> type[CheckSettings]:
    """The settings of a kind of check, with an address."""
    return create_model(f"Pointed{settings.__name__}", __base__=(settings, Pointed))


T = TypeVar("T", Check, Dependency)


def _as_it_is(check: Check) -> Check:
    return check


def _dependency(check: Check) -> Dependency:
    place: HostPort = check.settings.address  # type: ignore[attr-defined]  # made by `pointed`
    return Dependency.of(place.address, place.port, check)


def _checks(
    document: Document,
    section: str,
    kinds: Mapping[str, ProbeKind],
    make: Callable[[Check], T],
    check_files: Sequence[Path] | None = None,
) -> tuple[list[T], list[Diagnostic]]:
    made: list[T] = []
    diagnostics: list[Diagnostic] = []
    entries = document.find((section,))
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if not isinstance(entry, dict):
            continue  # the model has said so
        kind, wrong = _kind(name, entry, document, kinds, section)
        diagnostics.extend(wrong)
        if kind is None:
            continue
        model = kind.settings if section == "checks" else pointed(kind.settings)
        found = validate(model, document, (section, name), check_files=check_files)
        diagnostics.extend(found.diagnostics)
        if found.model is not None:
            settings = found.model
            said = settings.every, settings.timeout, settings, kind.uses_network, kind.connects
            made.append(make(Check(name, kind.name, *said)))
    return made, diagnostics


def _kind(
    name: str, entry: Mapping[str, object], document: Document, kinds: Mapping[str, ProbeKind], section: str
) -> tuple[ProbeKind | None, Sequence[Diagnostic]]:
    place = (section, name)
    what = {"checks": "check", "dependencies": "dependency", "sentinels": "sentinel"}[section]
    named = [kind for kind in entry if kind in kinds]
    present = [kind for kind in named if not _is_setting(kind, named, kinds)]
    if not present:
        message = f"{what} {shown(name)} does not say what to do"
        return None, [document.diagnose(Code.NO_CHECK_KIND, place, message, _kind_hint(entry, kinds), key=True)]
    if len(present) > 1:
        message = f"{what} {shown(name)} says {' and '.join(present)}: a check is of one kind"
        at = (*place, present[1])
        return None, [document.diagnose(Code.SEVERAL_CHECK_KINDS, at, message, f"make it two {section}", key=True)]
    return kinds[present[0]], ()


def _is_setting(key: str, named: Iterable[str], kinds: Mapping[str, ProbeKind]) -> bool:
    """Whether the name of a kind is a setting of another one that is named: `grpc` has a setting `tls`."""
    return any(
        key in kinds[other].settings.model_fields and other not in kinds[key].settings.model_fields
        for other in named
        if other != key
    )


def _kind_hint(entry: Iterable[str], kinds: Mapping[str, ProbeKind]) -> str:
    common = Pointed.model_fields
    for key in entry:
        close = nearest(key, kinds) if key not in common else None
        if close is not None:
            return f'did you mean "{close}" instead of {shown(key)}?'
    return f"give it one of: {', '.join(sorted(kinds))}"


def providers_of(
    document: Document, kinds: Mapping[str, ProviderKind]
) -> tuple[dict[str, ProviderEntry], tuple[Diagnostic, ...]]:
    """The providers that a daemon's configuration holds, those that are sound, and what is wrong with the others."""
    entries = document.find(("providers",))
    providers: dict[str, ProviderEntry] = {}
    diagnostics: list[Diagnostic] = []
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if not isinstance(entry, dict):
            continue  # the model has said so
        provider, wrong = _provider(name, entry, document, kinds)
        diagnostics.extend(wrong)
        if provider is not None:
            providers[name] = provider
    return providers, tuple(diagnostics)


def _provider(
    name: str, entry: Mapping[str, object], document: Document, kinds: Mapping[str, ProviderKind]
) -> tuple[ProviderEntry | None, Sequence[Diagnostic]]:
    place = ("providers", name)
    wanted = entry.get("kind")
    if not isinstance(wanted, str):
        code, hint = Code.MISSING_KEY, f"give it one of: {', '.join(sorted(kinds))}"
        return None, [document.diagnose(code, place, f'{say(place)} lacks "kind"', hint, key=True)]
    if wanted not in kinds:
        message = f"there is no provider kind {shown(wanted)}"
        hint = suggestion(wanted, sorted(kinds))
        return None, [document.diagnose(Code.UNKNOWN_PROVIDER_KIND, (*place, "kind"), message, hint)]
    found = validate(kinds[wanted].settings, document, place)
    if found.model is None:
        return None, found.diagnostics
    return ProviderEntry(name, kinds[wanted], found.model), found.diagnostics


def receivers_of(
    document: Document, kinds: Mapping[str, ReceiverKind]
) -> tuple[tuple[ReceiverEntry, ...], tuple[Diagnostic, ...]]:
    """The receivers that a daemon's configuration holds, those that are sound, and what is wrong with the others."""
    entries = document.find(("notify",))
    receivers: list[ReceiverEntry] = []
    diagnostics: list[Diagnostic] = []
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if not isinstance(entry, dict):
            continue  # the model has said so
        place, named = ("notify", name), [key for key in entry if key in kinds]
        if len(named) != 1:
            said = f"says {' and '.join(named)}" if named else "does not say whom to tell"
            hint = "make it two receivers" if named else _receiver_hint(entry, kinds)
            at = (*place, named[1]) if named else place
            message = f"receiver {shown(name)} {said}"
            diagnostics.append(document.diagnose(Code.RECEIVER_KIND, at, message, hint, key=True))
            continue
        found = validate(kinds[named[0]].settings, document, place)
        diagnostics.extend(found.diagnostics)
        if found.model is not None:
            receivers.append(ReceiverEntry(name, kinds[named[0]], found.model))
    return tuple(receivers), tuple(diagnostics)


def _receiver_hint(entry: Iterable[str], kinds: Mapping[str, ReceiverKind]) -> str:
    for key in entry:
        close = nearest(key, kinds) if key not in ReceiverSettings.model_fields else None
        if close is not None:
            return f'did you mean "{close}" instead of {shown(key)}?'
    return f"give it one of: {', '.join(sorted(kinds))}"
