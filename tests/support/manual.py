"""The example files and the manual, as the tests of configuration read them."""

import re
import shutil
from pathlib import Path

from failoverd import probes, providers
from failoverd.ports import Kinds

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "policies"
CONFIG = ROOT / "systemd" / "failoverd.yaml"
MANUAL = ROOT / "docs" / "policies.md"

REAL_KINDS = Kinds(providers=providers.kinds(), probes=probes.kinds())


def examples() -> list[Path]:
    """Every example file: the inventory, the policies, the daemon's configuration."""
    return [*sorted(POLICIES.glob("*.yaml")), CONFIG]


def installed(folder: Path) -> Path:
    """The example files as they are installed below /etc/failoverd. Returns the daemon's configuration."""
    (folder / "policies").mkdir(parents=True)
    for path in POLICIES.glob("*.yaml"):
        shutil.copy(path, folder / "policies")
    return Path(shutil.copy(CONFIG, folder))


def blocks(kind: str) -> list[str]:
    """The manual's fenced blocks of `yaml <kind>`."""
    return re.findall(rf"^```yaml {kind}\n(.*?)^```$", MANUAL.read_text(), re.DOTALL | re.MULTILINE)
