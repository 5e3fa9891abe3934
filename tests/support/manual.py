"""The example files and the manual, as the tests of configuration read them."""

import re
import shutil
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


def tiers() -> list[Path]:
    """The files of the example in which policies of several tiers share regions: a folder with its own inventory."""
    return sorted((POLICIES / "tiers").glob("*.yaml"))


def several_clouds() -> list[Path]:
    """The files of the other example, which is a configuration of its own."""
    return sorted(SEVERAL_CLOUDS.rglob("*.yaml"))


def installed(folder: Path) -> Path:
    """The example files as they are installed below /etc/failoverd. Returns the daemon's configuration."""
    (folder / "policies").mkdir(parents=True)
    for path in POLICIES.glob("*.yaml"):
        shutil.copy(path, folder / "policies")
    return Path(shutil.copy(CONFIG, folder))


def blocks(kind: str, text: str | None = None) -> list[str]:
    """The fenced blocks of `yaml <kind>` in a text, by default the manual's."""
    where = MANUAL.read_text() if text is None else text
    return re.findall(rf"^```yaml {kind}\n(.*?)^```$", where, re.DOTALL | re.MULTILINE)
