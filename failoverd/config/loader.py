"""From files on disk to policies that may run.

A bad file changes nothing: it is rejected alone, with everything that is wrong with it, and the caller keeps the
version of its policy that runs. A bad inventory, or a directory that cannot be read, rejects every file in the same
way. Nothing here raises for what files hold or whether they are there.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from failoverd.config.build import build
from failoverd.config.crosschecks import crosscheck
from failoverd.config.diagnostics import Code, Diagnostic, about_file, in_order
from failoverd.config.documents import Document, read
from failoverd.config.drafts import Draft, ProviderEntry, draft_of, providers_of, sentinels_of
from failoverd.config.files import fingerprint, policy_files
from failoverd.config.inline import inline_secrets
from failoverd.config.numbers import times
from failoverd.config.ownership import contested
from failoverd.config.references import references
from failoverd.config.schema import ConfigFile, InventoryFile, LogEntry, MetricsEntry, ProbingEntry
from failoverd.config.validation import validate
from failoverd.core.health.isolation import IsolationRules
from failoverd.core.records import Dependency, Policy, Source
from failoverd.ports import Kinds
from failoverd.settings import ServerAddress

__all__ = [
    "Config",
    "Loaded",
    "PolicySet",
    "Rejected",
    "fingerprint",
    "load_config",
    "load_inventory",
    "load_policies",
    "watched",
]

_REVISION_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Config:
    """The daemon's configuration. Paths are absolute or relative to the working directory; times are seconds."""

    file: Path
    owner: str
    policies: Path
    inventory: Path
    journal: Path
    providers: Mapping[str, ProviderEntry]
    log: LogEntry
    tick: float
    retention: float
    resolver: tuple[ServerAddress, ...]
    dispute_after: float
    sentinels: tuple[Dependency, ...] = ()
    isolation: IsolationRules = field(default_factory=IsolationRules)
    probing: ProbingEntry = field(default_factory=ProbingEntry)
    metrics: MetricsEntry | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """`config` is None when there was an error; there may be warnings with it."""

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file, or a whole directory, that does not load. `policies` names what runs from it, and goes on."""

    file: str
    policies: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """What a look at the policy directory found.

    Attributes:
        policies: the sound ones, by name.
        rejected: what does not load, by file or directory; whatever runs from it should go on.
        diagnostics: everything that was found, warnings about sound files included, in the order of the files.
    """

    policies: Mapping[str, Policy]
    rejected: Mapping[str, Rejected]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def kept(self) -> frozenset[str]:
        """Names of running policies that go on as they are, because their file does not load."""
        return frozenset(name for each in self.rejected.values() for name in each.policies)


# -- the daemon's configuration ----------------------------------------------------------------------------------------


def load_config(path: Path, kinds: Kinds) -> Loaded:
    """Read the daemon's configuration file."""
    parsed = read(path)
    document = parsed.document
    if document is None:
        return Loaded(None, in_order(parsed.diagnostics))
    found = validate(ConfigFile, document)
    providers, wrong = providers_of(document, kinds.providers)
    sentinels, amiss = sentinels_of(document, kinds.probes)
    untimely = [wrong for each in sentinels for wrong in times(document, ("sentinels", each.name), each.check)]
    shape = (*found.diagnostics, *wrong, *amiss, *untimely)
    diagnostics = _apart((*parsed.diagnostics, *inline_secrets(document)), shape)
    if found.model is None or _has_error(diagnostics):
        return Loaded(None, diagnostics)
    return Loaded(_config(path, found.model, providers, sentinels), diagnostics)


def _config(
    path: Path, file: ConfigFile, providers: Mapping[str, ProviderEntry], sentinels: tuple[Dependency, ...]
) -> Config:
    policies = path.parent / file.policies
    return Config(
        file=path,
        owner=file.owner,
        policies=policies,
        inventory=policies / file.inventory,
        journal=path.parent / file.journal,
        providers=MappingProxyType(dict(sorted(providers.items()))),
        log=file.log,
        tick=file.tick,
        retention=file.retention,
        resolver=file.resolver,
        dispute_after=file.dispute_after,
        sentinels=sentinels,
        isolation=IsolationRules(file.isolation.sentinels, file.isolation.window, file.isolation.doubt),
        probing=file.probing,
        metrics=file.metrics,
    )


# -- policies ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Looked:
    """One policy file after its own gates: the draft is None, or must not be used, when there are errors."""

    file: str
    document: Document | None
    draft: Draft | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def sound(self) -> bool:
        return self.draft is not None and not _has_error(self.diagnostics)


def load_policies(config: Config, kinds: Kinds, *, running: Mapping[str, Policy]) -> PolicySet:
    """Read the inventory and every policy file.

    Args:
        config: where they are, and the providers that records may name.
        kinds: the check kinds that policies may name.
        running: the policies that run now, by name; they are preferred where two files want the same name.
    """
    files = policy_files(config.policies, config.inventory.name)
    if isinstance(files, Diagnostic):
        return _nothing(files, running)
    inventory, about_inventory = load_inventory(config.inventory)
    looked = [_look(path, kinds, config, inventory) for path in files]
    if inventory is None:
        return _all_rejected(looked, about_inventory, running)

    unsound = frozenset(look.file for look in looked if not look.sound)
    drafts = [look.draft for look in looked if look.draft is not None and look.sound]
    lost = contested(drafts, running, unsound)
    policies = {
        draft.policy.policy: build(draft, inventory, config.providers, _source(draft, inventory))
        for draft in drafts
        if draft.file not in lost
    }
    problems = {look.file: in_order((*look.diagnostics, *lost.get(look.file, ()))) for look in looked}
    rejected = {
        look.file: Rejected(look.file, _held(look, running, policies.keys()), problems[look.file])
        for look in looked
        if look.file in unsound or look.file in lost
    }
    everything = (*about_inventory, *(diagnostic for found in problems.values() for diagnostic in found))
    return PolicySet(MappingProxyType(dict(sorted(policies.items()))), MappingProxyType(rejected), in_order(everything))


def load_inventory(path: Path) -> tuple[InventoryFile | None, tuple[Diagnostic, ...]]:
    """The inventory, or None when there is an error in it."""
    parsed = read(path)
    if parsed.document is None:
        return None, in_order(parsed.diagnostics)
    found = validate(InventoryFile, parsed.document)
    diagnostics = _apart((*parsed.diagnostics, *inline_secrets(parsed.document)), found.diagnostics)
    return (None if _has_error(diagnostics) else found.model), diagnostics


def _look(path: Path, kinds: Kinds, config: Config, inventory: InventoryFile | None) -> _Looked:
    try:
        return _look_closely(path, kinds, config, inventory)
    except Exception as error:  # noqa: BLE001 - a defect of ours rejects this file, never the others
        words = f"failoverd stumbled over this file ({type(error).__name__}), which is a defect of failoverd"
        hint = "take back what was written last; please report it with the file"
        return _Looked(str(path), None, None, (about_file(Code.DEFECT, str(path), words, hint),))


def _look_closely(path: Path, kinds: Kinds, config: Config, inventory: InventoryFile | None) -> _Looked:
    parsed = read(path)
    document = parsed.document
    if document is None:
        return _Looked(str(path), None, None, in_order(parsed.diagnostics))
    draft, shape = draft_of(document, kinds.probes)
    found = [*shape, *references(document, inventory.regions if inventory is not None else None, config.providers)]
    if draft is not None and inventory is not None:
        found.extend(crosscheck(draft, inventory, config.providers, config.sentinels))
    return _Looked(str(path), document, draft, _apart((*parsed.diagnostics, *inline_secrets(document)), found))


def _source(draft: Draft, inventory: InventoryFile) -> Source:
    """The revision changes with the text of the file and with the inventory's entries that it uses."""
    used = {name: inventory.regions[name].model_dump() for name in sorted(draft.policy.regions)}
    revision = sha256(f"{draft.document.digest}\n{json.dumps(used, sort_keys=True)}".encode()).hexdigest()
    lines = MappingProxyType(draft.document.line_of_keys())
    return Source(draft.file, revision[:_REVISION_LENGTH], lines)


# -- what does not load ------------------------------------------------------------------------------------------------


def _held(look: _Looked, running: Mapping[str, Policy], loaded: Iterable[str]) -> tuple[str, ...]:
    """The running policy that this file stands for: by the file, or, when it was renamed, by the name it says."""
    by_file = [name for name, policy in sorted(running.items()) if policy.source.file == look.file]
    named = look.document.find(("policy",)) if look.document is not None else None
    by_name = [named] if isinstance(named, str) and named in running else []
    return tuple(name for name in (*by_file, *by_name) if name not in loaded)[:1]


def _all_rejected(
    looked: list[_Looked], about_inventory: tuple[Diagnostic, ...], running: Mapping[str, Policy]
) -> PolicySet:
    """Without an inventory no policy can be understood, so all of them stay as they are."""
    rejected = {
        look.file: Rejected(look.file, _held(look, running, ()), in_order((*about_inventory, *look.diagnostics)))
        for look in looked
    }
    everything = (*about_inventory, *(diagnostic for look in looked for diagnostic in look.diagnostics))
    return PolicySet(MappingProxyType({}), MappingProxyType(rejected), in_order(everything))


def _nothing(why: Diagnostic, running: Mapping[str, Policy]) -> PolicySet:
    """A directory that is empty or gone is more likely a mount that is missing than a wish to stop everything."""
    rejected = {why.file: Rejected(why.file, tuple(sorted(running)), (why,))}
    return PolicySet(MappingProxyType({}), MappingProxyType(rejected), (why,))


def _apart(file: Iterable[Diagnostic], shape: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Both together; where the file itself is wrong, what follows from that is left out."""
    file = tuple(file)
    spoiled = {(diagnostic.line, diagnostic.column) for diagnostic in file if diagnostic.line}
    return in_order((*file, *(found for found in shape if (found.line, found.column) not in spoiled)))


def _has_error(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.is_error for diagnostic in diagnostics)


def watched(config: Config) -> tuple[Path, ...]:
    """Everything whose change may change what runs: give it to `fingerprint`."""
    return (config.file, config.inventory, config.policies)
