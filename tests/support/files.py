"""Configuration files for tests: a directory with a daemon's configuration, an inventory and policies.

The check and provider kinds are small stand-ins, so that a test says what it needs of them.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from failoverd.config.diagnostics import Diagnostic
from failoverd.config.loader import Config, PolicySet, load_config, load_policies
from failoverd.core.records import Capabilities, Check, Policy, RecordType, Weights
from failoverd.ports import Access, Kinds, ProbeContext, ProbeKind, Prober, Provider, ProviderKind
from failoverd.settings import CheckSettings, Port, ProviderSettings


class LookSettings(CheckSettings):
    look: str = Field(description="path to look at")
    host: str | None = Field(default=None, description="name to ask for")


class KnockSettings(CheckSettings):
    knock: Port = Field(description="port to knock on")


class PlainDns(ProviderSettings):
    server: str = Field(description="address of the server")


class WeightedDns(ProviderSettings):
    pass


def _never_probes(check: Check, context: ProbeContext) -> Prober:
    raise AssertionError(f"loading files opened {check} for {context.policy}")


def _never_opens(name: str, settings: Any, access: Access) -> AbstractAsyncContextManager[Provider]:  # noqa: ANN401 - the port's shape
    raise AssertionError(f"loading files opened provider {name} for {access} with {settings}")


PLAIN = Capabilities(
    weights={
        RecordType.A: Weights.MEMBERSHIP,
        RecordType.AAAA: Weights.MEMBERSHIP,
        RecordType.CNAME: Weights.MEMBERSHIP,
        RecordType.SRV: Weights.NATIVE,
    },
    max_weight=65_535,
    single=frozenset({RecordType.CNAME}),
    max_answers=100,
    one_ttl=frozenset({RecordType.A, RecordType.AAAA}),
)
WEIGHTED = Capabilities(weights={RecordType.A: Weights.NATIVE}, max_weight=255, min_ttl=20, wildcards=False)

KINDS = Kinds(
    providers={
        "plain": ProviderKind("plain", PlainDns, PLAIN, _never_opens),
        "weighted": ProviderKind("weighted", WeightedDns, WEIGHTED, _never_opens),
    },
    probes={
        "look": ProbeKind("look", LookSettings, _never_probes),
        "knock": ProbeKind("knock", KnockSettings, _never_probes),
    },
)

CONFIG = """\
version: 1
owner: tests
policies: policies
journal: journal.db
providers:
  bind: {kind: plain, zones: [example.com, eu.example.com], server: 192.0.2.53}
  cloud: {kind: weighted, zones: [example.net]}
"""

INVENTORY = """\
version: 1
regions:
  east: {cloud: azure, capacity: 100}
  west: {cloud: aws, capacity: 100}
  north: {cloud: oci}
"""

POLICY = """\
version: 1
policy: api
records:
  - {name: api.example.net, type: A, ttl: 30s, providers: [cloud]}
regions:
  east: {share: 70, endpoints: [192.0.2.1]}
  west: {share: 30, endpoints: [198.51.100.1]}
checks:
  live: {look: /health}
"""


def policy(name: str = "api", record: str = "api.example.net", **changes: str) -> str:
    """`POLICY` with another name and record, and with other top-level keys."""
    text = POLICY.replace("policy: api", f"policy: {name}").replace("name: api.example.net", f"name: {record}")
    return text + "".join(f"{key}: {value}\n" for key, value in changes.items())


@dataclass
class Folder:
    """A directory of configuration files, and what ran after the last load."""

    root: Path
    running: Mapping[str, Policy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.root / "policies").mkdir(parents=True, exist_ok=True)
        (self.root / "failoverd.yaml").write_text(CONFIG)
        self.write("regions.yaml", INVENTORY)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / "policies" / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    @property
    def config(self) -> Config:
        loaded = load_config(self.root / "failoverd.yaml", KINDS)
        assert loaded.config is not None, [str(found) for found in loaded.diagnostics]
        return loaded.config

    def load(self) -> PolicySet:
        """Load, and from now on run what a daemon would: what is sound, and what is kept."""
        found = load_policies(self.config, KINDS, running=self.running)
        kept = {name: running for name, running in self.running.items() if name in found.kept}
        self.running = {**kept, **found.policies}
        return found

    def only(self, text: str) -> list[Diagnostic]:
        """Everything that is found in a directory with this policy alone."""
        self.write("policy.yaml", text)
        return list(self.load().diagnostics)


def mount(folder: Folder, version: str, **files: str) -> None:
    """A ConfigMap of policies."""
    publish(folder.root / "policies", version, {f"{name}.yaml": text for name, text in files.items()})


def publish(directory: Path, version: str, files: Mapping[str, str]) -> None:
    """A ConfigMap's directory as the kubelet makes it: versions in hidden directories, swapped by renaming a link."""
    (directory / f"..{version}").mkdir()
    for name, text in files.items():
        (directory / f"..{version}" / name).write_text(text)
        link = directory / name
        if not link.is_symlink():
            link.unlink(missing_ok=True)
            link.symlink_to(f"..data/{name}")
    (directory / "..data_tmp").symlink_to(f"..{version}")
    (directory / "..data_tmp").replace(directory / "..data")


def told(diagnostics: list[Diagnostic]) -> list[tuple[str, str]]:
    """Place and code, without the file: `("3:1", "FD106")`."""
    return [(f"{found.line}:{found.column}", found.code.value) for found in diagnostics]
