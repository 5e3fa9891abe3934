"""The example files and the manual, as the tests of configuration read them."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from failoverd import probes, providers
from failoverd.ports import Kinds
from failoverd.telemetry import notifications

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "policies"
CONFIG = ROOT / "systemd" / "failoverd.yaml"
MANUAL = ROOT / "docs" / "policies.md"
SEVERAL_CLOUDS = ROOT / "examples" / "several-clouds"

REAL_KINDS = Kinds(providers=providers.kinds(), probes=probes.kinds(), receivers=notifications.kinds())


def examples() -> list[Path]:
    """Every example file: the inventory, the policies, the daemon's configuration."""
    return [*sorted(POLICIES.glob("*.yaml")), CONFIG]


def scenarios() -> list[Path]:
    """The scenarios that ship with the policies."""
    return sorted((POLICIES / "scenarios").glob("*.yaml"))


def tiers() -> list[Path]:
    """The files of the example in which policies of several tiers share regions: a folder with its own inventory."""
    return sorted((POLICIES / "tiers").glob("*.yaml"))


def several_clouds() -> list[Path]:
    """The files of the other example, which is a configuration of its own."""
    return sorted(SEVERAL_CLOUDS.rglob("*.yaml"))


@dataclass(frozen=True)
class Estate:
    """An example as a whole: a daemon's configuration, and the folder of policies with an inventory that it is for."""

    config: Path
    policies: Path

    @property
    def files(self) -> list[Path]:
        return [self.config, *sorted(self.policies.glob("*.yaml"))]

    def installed(self, folder: Path) -> Path:
        """Its files as they are installed below /etc/failoverd. Returns the daemon's configuration."""
        (folder / "policies").mkdir(parents=True)
        for path in self.policies.glob("*.yaml"):
            shutil.copy(path, folder / "policies")
        config = folder / self.config.name
        config.write_text(self.config.read_text().replace("policies: /etc/failoverd/policies", "policies: policies"))
        return config

    def place(self, file: Path, config: Path) -> Path:
        """Where a file of it is, beside its installed configuration."""
        return config if file == self.config else config.parent / "policies" / file.name


DEMO = ROOT / "failoverd" / "cli" / "demo"
KUBERNETES = ROOT / "kubernetes" / "overlays" / "example"
ESTATES = {
    "policies": Estate(CONFIG, POLICIES),
    "tiers": Estate(CONFIG, POLICIES / "tiers"),
    "several-clouds": Estate(SEVERAL_CLOUDS / "failoverd.yaml", SEVERAL_CLOUDS / "policies"),
    "demo": Estate(DEMO / "files" / "failoverd.yaml", DEMO / "files" / "policies"),
    "demo-tiers": Estate(DEMO / "tiers_files" / "failoverd.yaml", DEMO / "tiers_files" / "policies"),
    "kubernetes": Estate(KUBERNETES / "failoverd.yaml", KUBERNETES / "estate" / "policies"),
}
"""Every folder of policies that users see, with a configuration that it loads with."""


def installed(folder: Path) -> Path:
    """The example files as they are installed below /etc/failoverd. Returns the daemon's configuration."""
    return ESTATES["policies"].installed(folder)


def blocks(kind: str, text: str | None = None) -> list[str]:
    """The fenced blocks of `yaml <kind>` in a text, by default the manual's."""
    where = MANUAL.read_text() if text is None else text
    return re.findall(rf"^```yaml {kind}\n(.*?)^```$", where, re.DOTALL | re.MULTILINE)
