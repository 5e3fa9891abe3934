"""What a file says after its own shape is right: a policy file with its checks, a daemon file with its providers.

A draft is not a policy yet: nobody has looked whether its parts fit each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from failoverd.config.diagnostics import Code, Diagnostic, nearest, shown, suggestion
from failoverd.config.documents import Document
from failoverd.config.schema import PolicyFile
from failoverd.config.validation import say, validate
from failoverd.core.records import Capabilities, Check, Endpoint, RecordType
from failoverd.ports import ProbeKind, ProviderKind
from failoverd.settings import CheckSettings, ProviderSettings


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """One configured provider: its name in policies, its kind, and its validated settings."""

    name: str
    kind: ProviderKind
    settings: ProviderSettings

    @property
    def capabilities(self) -> Capabilities:
        return self.kind.capabilities

    def zone_of(self, name: str) -> str | None:
        """The most specific of the provider's zones that holds `name`."""
        holding = [zone for zone in self.settings.zones if name == zone or name.endswith(f".{zone}")]
        return max(holding, key=len, default=None)


@dataclass(frozen=True)
class Draft:
    """A policy file whose keys and values are of the right shape."""

    document: Document
    policy: PolicyFile
    checks: tuple[Check, ...]

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


def draft_of(document: Document, kinds: Mapping[str, ProbeKind]) -> tuple[Draft | None, tuple[Diagnostic, ...]]:
    """The draft that a document holds, if it can be told, and everything that is wrong with its shape."""
    found = validate(PolicyFile, document)
    diagnostics = list(found.diagnostics)
    checks: list[Check] = []
    entries = document.find(("checks",))
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if not isinstance(entry, dict):
            continue  # the model has said so
        check, wrong = _check(name, entry, document, kinds)
        checks.extend([check] if check is not None else [])
        diagnostics.extend(wrong)
    if found.model is None:
        return None, tuple(diagnostics)
    return Draft(document, found.model, tuple(checks)), tuple(diagnostics)


def _check(
    name: str, entry: Mapping[str, object], document: Document, kinds: Mapping[str, ProbeKind]
) -> tuple[Check | None, Sequence[Diagnostic]]:
    place = ("checks", name)
    present = [kind for kind in entry if kind in kinds]
    if not present:
        message = f"check {shown(name)} does not say what to do"
        return None, [document.diagnose(Code.NO_CHECK_KIND, place, message, _kind_hint(entry, kinds), key=True)]
    if len(present) > 1:
        message = f"check {shown(name)} says {' and '.join(present)}: a check is of one kind"
        at = (*place, present[1])
        return None, [document.diagnose(Code.SEVERAL_CHECK_KINDS, at, message, "make it two checks", key=True)]
    kind = kinds[present[0]]
    found = validate(kind.settings, document, place)
    settings = found.model
    if not isinstance(settings, CheckSettings):
        return None, found.diagnostics
    return Check(name, kind.name, settings.every, settings.timeout, settings), found.diagnostics


def _kind_hint(entry: Iterable[str], kinds: Mapping[str, ProbeKind]) -> str:
    common = CheckSettings.model_fields
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
