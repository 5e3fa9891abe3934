"""From files on disk to policies that may run.

A bad file changes nothing: it is rejected alone, with everything that is wrong with it, and the caller keeps the
version of its policy that runs. A bad inventory, or a directory that cannot be read, rejects every file in the same
way. Nothing here raises for what files hold or whether they are there.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from time import time
from types import MappingProxyType

from failoverd.config.build import build
from failoverd.config.carrying import crowded
from failoverd.config.contenders import contested
from failoverd.config.coordinating import Coordination, coordination_of, misfits
from failoverd.config.costs import data_from
from failoverd.config.crosschecks import crosscheck
from failoverd.config.diagnostics import Code, Diagnostic, about_file, in_order
from failoverd.config.documents import Document, Parsed, bytes_of, parse, read
from failoverd.config.drafts import (
    Draft,
    ProviderEntry,
    ReceiverEntry,
    assumed_providers,
    draft_of,
    providers_of,
    receivers_of,
    sentinels_of,
)
from failoverd.config.drills import unborne, unpractised, unused
from failoverd.config.inline import inline_secrets
from failoverd.config.inventory import Inventory, idle, wrong_with
from failoverd.config.listing import in_folders, policy_files, stamp, stamps
from failoverd.config.locating import usual_socket
from failoverd.config.losses import losses, unheeded, unruled
from failoverd.config.maintenance import meetings, unbearable, unknown, untimely, written
from failoverd.config.numbers import times
from failoverd.config.ramping import ramping
from failoverd.config.references import references
from failoverd.config.rereading import Read, reread
from failoverd.config.rounding import rounding
from failoverd.config.schema.config_file import (
    ApiEntry,
    ConfigFile,
    LogEntry,
    MetricsEntry,
    ProbingEntry,
    PrometheusEntry,
)
from failoverd.config.schema.inventory_file import INVENTORY, InventoryFile
from failoverd.config.settling import DOUBTFUL, Watch
from failoverd.config.validation import validate
from failoverd.core.health.isolation import IsolationRules
from failoverd.core.records import Dependency, Maintenance, Policy, Practice, Source, Target
from failoverd.core.rules import Rule
from failoverd.core.status import RefusedFile
from failoverd.ports import Kinds
from failoverd.settings import ServerAddress

__all__ = [
    "Config",
    "Loaded",
    "PolicyLoader",
    "PolicySet",
    "Rejected",
    "load_config",
    "load_instead",
    "load_inventory",
    "load_paths",
    "load_policies",
    "watch",
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
    check_files: tuple[Path, ...] = ()
    sentinels: tuple[Dependency, ...] = ()
    isolation: IsolationRules = field(default_factory=IsolationRules)
    probing: ProbingEntry = field(default_factory=ProbingEntry)
    metrics: MetricsEntry | None = None
    notify: tuple[ReceiverEntry, ...] = ()
    api: ApiEntry = field(default_factory=ApiEntry)
    prometheus: Mapping[str, PrometheusEntry] = field(default_factory=dict)
    coordination: Coordination | None = None

    @property
    def socket(self) -> Path:
        """Where operators of this machine reach the daemon."""
        said = self.api.socket
        return self.file.parent / said if said is not None else usual_socket(self.journal)


@dataclass(frozen=True, slots=True)
class Loaded:
    """`config` is None when there was an error; there may be warnings with it."""

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file, or a whole directory, that does not load. `policies` names what runs from it, and goes on.

    `named` is how the file calls its policy, if it can be read so far.
    """

    file: str
    policies: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    named: str = ""

    @property
    def errors(self) -> tuple[RefusedFile, ...]:
        """What is wrong with it: first what cannot be read or is not known, for what it comes to follows from that."""
        errors = (diagnostic for diagnostic in self.diagnostics if diagnostic.is_error)
        return tuple(each.refusal(self.file) for each in sorted(errors, key=lambda each: each.code.value[: len("FD2")]))


@dataclass(frozen=True, slots=True)
class PolicySet:
    """What a look at the policy directory found.

    Attributes:
        policies: the sound ones, by name.
        rejected: what does not load, by file or directory; whatever runs from it should go on.
        diagnostics: everything that was found, warnings about sound files included, in the order of the files.
        doubted: files that may be half written, so that they stand for what they held before.
        rules: those of the inventory; None when it does not load, so that those of before go on.
        maintenance: what the inventory plans for all policies; None like the rules.
        practices: the drills that it plans for all of them; None like the rules.
    """

    policies: Mapping[str, Policy]
    rejected: Mapping[str, Rejected]
    diagnostics: tuple[Diagnostic, ...]
    doubted: frozenset[Path] = frozenset()
    rules: tuple[Rule, ...] | None = None
    maintenance: tuple[Maintenance, ...] | None = None
    practices: tuple[Practice, ...] | None = None

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
    receivers, unfit = receivers_of(document, kinds.receivers)
    untimely = [wrong for each in sentinels for wrong in times(document, ("sentinels", each.name), each.check)]
    shape = [*found.diagnostics, *wrong, *amiss, *untimely, *unfit]
    if found.model is not None and found.model.coordination is not None:
        shape.extend(misfits(found.model.coordination, document, providers))
    diagnostics = _apart((*parsed.diagnostics, *inline_secrets(document)), shape)
    if found.model is None or _has_error(diagnostics):
        return Loaded(None, diagnostics)
    return Loaded(replace(_config(path, found.model, providers, sentinels), notify=receivers), diagnostics)


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
        check_files=file.check_files,
        sentinels=sentinels,
        isolation=IsolationRules(file.isolation.sentinels, file.isolation.window, file.isolation.doubt),
        probing=file.probing,
        metrics=file.metrics,
        api=file.api,
        prometheus=file.prometheus,
        coordination=coordination_of(file.coordination, file.owner) if file.coordination is not None else None,
    )


# -- policies ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Judged:
    """One policy file by itself: the policy that it holds, unless there are errors. `named` is how it calls it."""

    file: str
    named: str
    policy: Policy | None
    diagnostics: tuple[Diagnostic, ...]


class PolicyLoader:
    """Reads the inventory and every policy file; what did not change since the last time is not read again.

    Args:
        config: where they are, and the providers that records may name.
        kinds: the check kinds that policies may name.
    """

    def __init__(self, config: Config, kinds: Kinds) -> None:
        self._config = config
        self._kinds = kinds
        self._inventory: Read[_Inventory] | None = None
        self._judged: dict[Path, Read[_Judged]] = {}

    def load(self, running: Mapping[str, Policy], watch: Watch | None = None) -> PolicySet:
        """Look at every file.

        Args:
            running: the policies that run now, by name; they are preferred where two files want the same name.
            watch: knows which files have come to rest; the others stand for what they held before. None: all have.
        """
        config = self._config
        files = policy_files(config.policies, config.inventory.name)
        if isinstance(files, Diagnostic):
            return _nothing(files, running)
        (inventory, about_inventory), doubted = self._read_inventory(watch)
        fresh = {path: self._judge(path, inventory, watch) for path in files}
        runs = {Path(policy.source.file): policy for policy in running.values()}
        if watch is not None:
            doubted |= self._doubted(fresh, runs, watch)
        judged = self._believed(fresh, doubted, runs, watch)
        if inventory is None:
            return replace(_all_rejected(judged, about_inventory, running), doubted=frozenset(doubted))
        idle_rules = (*idle(inventory, {each.named for each in judged}), *_idle_drills(inventory, judged))
        found = _sifted(judged, (*about_inventory, *idle_rules), running)
        return replace(_with_work(found, inventory), doubted=frozenset(doubted))

    def _read_inventory(self, watch: Watch | None) -> tuple["_Inventory", set[Path]]:
        """What it says; or said before, while it is written, with its path if it may be half written."""

        def judge(raw: bytes | Diagnostic) -> _Inventory:
            return _judge_inventory(parse(raw, str(path)))

        path, before = self._config.inventory, self._inventory
        found = reread(path, before, watch, judge, lambda result: result[0] is not None)
        if before is not None and found is None:
            return before.result, set()
        if found is None:
            return judge(bytes_of(path)), set()
        if before is not None and before.result != found.result:
            if watch is not None and _lessened(found, before) and not watch.rests(path, stamp(path), DOUBTFUL):
                return before.result, {path}
            self._judged.clear()  # every policy was held against the one before
        self._inventory = found
        return found.result, set()

    def _judge(self, path: Path, inventory: Inventory | None, watch: Watch | None) -> "Read[_Judged] | None":
        """What the file holds; None while it has not come to rest."""

        def judge(raw: bytes | Diagnostic) -> _Judged:
            return _judge(parse(raw, str(path)), str(path), self._kinds, self._config, inventory)

        return reread(path, self._judged.get(path), watch, judge, lambda result: result.policy is not None)

    # -- what may be half written --------------------------------------------------------------------------------------

    def _doubted(
        self, fresh: "Mapping[Path, Read[_Judged] | None]", runs: Mapping[Path, Policy], watch: Watch
    ) -> set[Path]:
        """Files that say less than what runs of them, or are gone, until they were looked at once more.

        What another file says now is not missing.
        """
        read = {path: found for path, found in fresh.items() if found is not None}
        news = [found.result.policy for found in read.values() if found.result.policy is not None]
        names = {policy.name for policy in news}
        targets = {_place(target) for policy in news for target in _targets(policy)}
        less = {
            path
            for path, found in read.items()
            if found is not self._judged.get(path) and _says_less(found, runs.get(path), targets)
        }
        less |= {path for path, policy in runs.items() if path not in fresh and policy.name not in names}
        return {path for path in less if not watch.rests(path, stamp(path), DOUBTFUL)}

    def _believed(
        self,
        fresh: "Mapping[Path, Read[_Judged] | None]",
        doubted: Collection[Path],
        runs: Mapping[Path, Policy],
        watch: Watch | None,
    ) -> list[_Judged]:
        """What each file holds; or what it held before, while it is written or doubted."""
        for path in self._judged.keys() - fresh.keys():
            if path not in doubted and (watch is None or watch.rests(path, None)):
                del self._judged[path]
        self._judged |= {path: found for path, found in fresh.items() if found is not None and path not in doubted}
        judged = {path: found.result for path, found in self._judged.items()}
        for path in {*doubted, *(path for path, found in fresh.items() if found is None)} - judged.keys():
            if path in runs:  # it was held against another inventory
                judged[path] = _Judged(str(path), runs[path].name, runs[path], ())
        return [judged[path] for path in sorted(judged)]


def load_policies(config: Config, kinds: Kinds, *, running: Mapping[str, Policy], together: bool = False) -> PolicySet:
    """Read the inventory and every policy file, once. See `PolicyLoader`.

    `together`: play losses with all policies at once as well, which takes a second with a thousand of them.
    """
    found = PolicyLoader(config, kinds).load(running)
    inventory = load_inventory(config.inventory)[0] if together else None
    if inventory is None:
        return found
    return replace(found, diagnostics=in_folders((*found.diagnostics, *crowded(found.policies, inventory))))


def load_instead(config: Config, kinds: Kinds, file: Path) -> PolicySet:
    """All that loads of what the configuration names, with `file` in place of the one that holds the same policy.

    Something is rejected where `file` does not load, or wants what another policy has.
    """
    found = PolicyLoader(config, kinds).load({})
    inventory, about = load_inventory(config.inventory)
    judged = _judge(read(file), str(file), kinds, config, inventory)
    others = [
        _Judged(policy.source.file, policy.name, policy, ())
        for policy in found.policies.values()
        if policy.name != judged.named
    ]
    both = _sifted([judged, *others], about if inventory is None else (), {})
    return replace(both, rules=found.rules, maintenance=found.maintenance, practices=found.practices)


def load_paths(
    paths: Iterable[Path], kinds: Kinds, config: Config | None = None, instead: Mapping[Path, bytes] | None = None
) -> PolicySet:
    """Read these policy files, and those of these folders, each with the inventory beside it.

    Without a `config`, nobody knows which providers there are and what they can do: any that is named is taken to be
    there, and to serve the record as it is written. `instead` is what is taken to stand in some of these files.
    """
    texts = instead or {}
    name = config.inventory.name if config is not None else INVENTORY
    about: list[Diagnostic] = []
    files: dict[Path, None] = {}
    whole = set[Path]()
    for path in paths:
        found = policy_files(path, name) if path.is_dir() else [path]
        whole |= {path} if path.is_dir() else set()
        about.extend([found] if isinstance(found, Diagnostic) else ())
        files |= dict.fromkeys(() if isinstance(found, Diagnostic) else found)
    inventories = {folder: load_inventory(folder / name) for folder in {path.parent: None for path in files}}
    judged = []
    for path in files:
        inventory, found_there = inventories[path.parent]
        about.extend(found_there)
        if path.name != name:
            parsed = parse(texts[path], str(path)) if path in texts else read(path)
            judged.append(_judge(parsed, str(path), kinds, config, inventory))
    for folder in whole & inventories.keys():
        inventory = inventories[folder][0]
        named = {each.named for each in judged if Path(each.file).parent == folder}
        about.extend((*idle(inventory, named), *_idle_drills(inventory, judged)) if inventory is not None else ())
        sound = {each.policy.name: each.policy for each in judged if each.policy and Path(each.file).parent == folder}
        about.extend(crowded(sound, inventory) if inventory is not None else ())
    sifted = _sifted(judged, in_order(about), {})
    only = next(iter(inventories.values()))[0] if len(inventories) == 1 else None  # no rule binds another folder
    return _with_work(sifted, only) if only is not None else sifted


def _with_work(found: PolicySet, inventory: Inventory) -> PolicySet:
    """With what the inventory says of all policies."""
    practices = (inventory.practice,) if inventory.practice is not None else ()
    return replace(found, rules=inventory.rules, maintenance=inventory.maintenance, practices=practices)


def _idle_drills(inventory: Inventory, judged: Iterable[_Judged]) -> Iterator[Diagnostic]:
    """Drills of the inventory of regions that no policy has. A file that does not load may have any."""
    policies = [each.policy for each in judged]
    if inventory.practice is not None and all(policies):
        used = {region.name for policy in policies if policy is not None for region in policy.regions}
        yield from unused(inventory.practice, inventory.document, used)


def _sifted(judged: Sequence[_Judged], about: tuple[Diagnostic, ...], running: Mapping[str, Policy]) -> PolicySet:
    """The sound ones, of which each has its names for itself. `about` is what was found besides these files."""
    unsound = frozenset(each.file for each in judged if each.policy is None)
    sound = [each.policy for each in judged if each.policy is not None]
    lost = contested(sound, running, unsound, lambda file: read(Path(file)).document)
    policies = {policy.name: policy for policy in sound if policy.source.file not in lost}
    problems = {each.file: in_folders((*each.diagnostics, *lost.get(each.file, ()))) for each in judged}
    rejected = {
        each.file: Rejected(each.file, _held(each, running, policies.keys()), problems[each.file], each.named)
        for each in judged
        if each.file in unsound or each.file in lost
    }
    everything = (*about, *(diagnostic for found in problems.values() for diagnostic in found))
    return PolicySet(
        MappingProxyType(dict(sorted(policies.items()))), MappingProxyType(rejected), in_folders(everything)
    )


def _lessened(found: "Read[_Inventory]", before: "Read[_Inventory]") -> bool:
    """Whether an inventory says less than before, or does not load any more."""
    said, known = found.result[0], before.result[0]
    if not found.whole or said is None:
        return True
    return known is not None and bool(_named(known) - _named(said))


def _named(inventory: Inventory) -> set[tuple[str, str]]:
    """The regions and rules that it has, and planned work by its number: any of these may be missing in half a file."""
    regions = (("region", name) for name in inventory.file.regions)
    rules = (("rule", rule.name) for rule in inventory.rules)
    return {*regions, *rules, *(("work", str(number)) for number in range(len(inventory.maintenance)))}


def _says_less(found: Read[_Judged], runs: Policy | None, elsewhere: Collection[object]) -> bool:
    """Whether a file does not load, or lacks something that runs of it: a key, or a record that no other file has."""
    policy = found.result.policy
    if not found.whole or policy is None:
        return True
    if runs is None:
        return False
    gone = {key for key in runs.source.lines.keys() - policy.source.lines.keys() if not key.startswith("records.")}
    return bool(gone) or any(_place(target) not in elsewhere for target in _targets(runs))


def _targets(policy: Policy) -> list[Target]:
    return [target for record in policy.records for target in record.targets]


def _place(target: Target) -> object:
    return target.key, target.provider, target.zone


_Inventory = tuple[Inventory | None, tuple[Diagnostic, ...]]
"""The inventory, or None when there is an error in it; and what was found."""


def load_inventory(path: Path) -> _Inventory:
    """The inventory, or None when there is an error in it."""
    return _judge_inventory(read(path))


def _judge_inventory(parsed: Parsed) -> _Inventory:
    if parsed.document is None:
        return None, in_order(parsed.diagnostics)
    found = validate(InventoryFile, parsed.document)
    together = wrong_with(found.model, parsed.document, time()) if found.model is not None else ()
    clean = (*parsed.diagnostics, *inline_secrets(parsed.document))
    diagnostics = _apart(clean, (*found.diagnostics, *together))
    if found.model is None or _has_error(diagnostics):
        return None, diagnostics
    return Inventory.of(found.model, parsed.document, time()), diagnostics


def _judge(parsed: Parsed, file: str, kinds: Kinds, config: Config | None, inventory: Inventory | None) -> _Judged:
    document = parsed.document
    if document is None:
        return _Judged(file, "", None, in_order(parsed.diagnostics))
    try:
        return _judged(document, parsed.diagnostics, kinds, config, inventory)
    except Exception as error:  # noqa: BLE001 - a defect of ours rejects this file, never the others
        words = f"failoverd stumbled over this file ({type(error).__name__}), which is a defect of failoverd"
        hint = "take back what was written last; please report it with the file"
        return _Judged(file, "", None, (about_file(Code.DEFECT, file, words, hint),))


def _judged(
    document: Document,
    unclean: tuple[Diagnostic, ...],
    kinds: Kinds,
    config: Config | None,
    inventory: Inventory | None,
) -> _Judged:
    draft, shape = draft_of(document, kinds.probes, config.check_files if config is not None else None)
    providers = config.providers if config is not None else assumed_providers(document)
    found = [*shape, *references(document, inventory.file.regions if inventory is not None else None, providers)]
    if draft is not None and inventory is not None:
        sentinels, sources = (config.sentinels, config.prometheus) if config is not None else ((), None)
        found.extend(crosscheck(draft, inventory.file, providers, sentinels, sources))
    diagnostics = _apart((*unclean, *inline_secrets(document)), found)
    policy = None
    if draft is not None and inventory is not None and not _has_error(diagnostics):
        policy = build(draft, inventory.file, providers, _source(draft, inventory.file))
        found = [*losses(policy, document), *unheeded(policy, document), *rounding(policy, providers, document)]
        found += ramping(policy, document)
        found += unruled(policy, inventory.rules, lambda rule: (inventory.document, inventory.place_of(rule)))
        found += _work(policy, document, inventory)
        diagnostics = in_order((*diagnostics, *found))
    sound = policy if not _has_error(diagnostics) else None
    named = document.find(("policy",))
    return _Judged(document.file, named if isinstance(named, str) else "", sound, diagnostics)


def _work(policy: Policy, document: Document, inventory: Inventory) -> Iterator[Diagnostic]:
    """What is wrong with the work that the policy plans, or that the inventory plans for it."""
    own, now = written(policy.maintenance, document), time()
    yield from unknown(own, {region.name: region.cloud for region in policy.regions}, f"policy {policy.name}")
    yield from untimely(own, now)
    of_all = written(inventory.maintenance, inventory.document)
    together = meetings((*own, *of_all), now) if own else inventory.meetings
    yield from unbearable(policy, together, inventory.rules)
    yield from unpractised(policy, document, inventory.rules, now)
    if inventory.practice is not None:
        yield from unborne(policy, inventory.practice, inventory.document, inventory.rules)


def _source(draft: Draft, inventory: InventoryFile) -> Source:
    """The revision changes with the text of the file and with the inventory's entries that it uses.

    But not with its tests: nothing that runs heeds them, so nothing is taken up again where they alone are others.
    """
    used: dict[str, object] = {name: inventory.regions[name].model_dump() for name in sorted(draft.policy.regions)}
    used |= data_from(draft.policy, inventory)
    revision = sha256(
        f"{draft.document.digest_without('tests')}\n{json.dumps(used, sort_keys=True)}".encode()
    ).hexdigest()
    lines = {key: line for key, line in draft.document.line_of_keys().items() if key.partition(".")[0] != "tests"}
    return Source(draft.file, revision[:_REVISION_LENGTH], MappingProxyType(lines))


# -- what does not load ------------------------------------------------------------------------------------------------


def _held(judged: _Judged, running: Mapping[str, Policy], loaded: Iterable[str]) -> tuple[str, ...]:
    """The running policy that this file stands for: by the file, or, when it was renamed, by the name it says."""
    by_file = [name for name, policy in sorted(running.items()) if policy.source.file == judged.file]
    by_name = [judged.named] if judged.named in running else []
    return tuple(name for name in (*by_file, *by_name) if name not in loaded)[:1]


def _all_rejected(
    judged: list[_Judged], about_inventory: tuple[Diagnostic, ...], running: Mapping[str, Policy]
) -> PolicySet:
    """Without an inventory no policy can be understood, so all of them stay as they are."""
    rejected = {
        each.file: Rejected(
            each.file, _held(each, running, ()), in_folders((*about_inventory, *each.diagnostics)), each.named
        )
        for each in judged
    }
    everything = (*about_inventory, *(diagnostic for each in judged for diagnostic in each.diagnostics))
    return PolicySet(MappingProxyType({}), MappingProxyType(rejected), in_folders(everything))


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


def watch(config: Config) -> Watch:
    """A watch over everything whose change may change what runs."""
    paths = (config.file, config.inventory, config.policies)
    return Watch(lambda: stamps(paths))
