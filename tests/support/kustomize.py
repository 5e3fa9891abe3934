"""The manifests as `kubectl kustomize` renders them."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

KUBERNETES: Final = Path(__file__).parents[2] / "kubernetes"

Manifest = dict[str, Any]


@cache
def rendered(folder: str) -> tuple[Manifest, ...]:
    """What stands in a folder below `kubernetes/`, as one would apply it. Not to be changed: it is shared."""
    with TemporaryDirectory() as made:
        tree = Path(made) / "kubernetes"
        shutil.copytree(KUBERNETES, tree)
        if _is_old():
            for file in tree.rglob("kustomization.yaml"):
                _translate(file)
        done = subprocess.run(
            ["kubectl", "kustomize", str(tree / folder)], capture_output=True, text=True, check=False, timeout=60
        )
    assert (done.returncode, done.stderr) == (0, "")
    return tuple(each for each in yaml.safe_load_all(done.stdout) if each)  # kustomize 2.0: `{}` for what is deleted


def one(manifests: tuple[Manifest, ...], kind: str, name: str = "failoverd") -> Manifest:
    """The only one of its kind and name; a hash that kustomize put behind the name is none of it."""
    fits = [each for each in manifests if each["kind"] == kind and _plain(each["metadata"]["name"], name)]
    assert len(fits) == 1, [(each["kind"], each["metadata"]["name"]) for each in manifests]
    return fits[0]


def _plain(name: str, wanted: str) -> bool:
    return name == wanted or (name.rpartition("-")[0] == wanted and len(name) - len(wanted) == _HASH)


_HASH: Final = len("-h7hhm94dck")


@cache
def _is_old() -> bool:
    """kubectl 1.20, which Debian 12 has, knows kustomize 2.0: there folders are `bases`, patches differ."""
    told = subprocess.run(
        ["kubectl", "version", "--client", "--output=json"], capture_output=True, text=True, check=True, timeout=60
    )
    return int(json.loads(told.stdout)["clientVersion"]["minor"].rstrip("+")) <= 20


def _translate(file: Path) -> None:
    """The same in the words of kustomize 2.0."""
    said = yaml.safe_load(file.read_text())
    resources = said.get("resources", [])
    said["bases"] = [each for each in resources if (file.parent / each).is_dir()]
    said["resources"] = [each for each in resources if each not in said["bases"]]
    said["patchesStrategicMerge"] = [each["path"] for each in said.pop("patches", [])]
    file.write_text(yaml.safe_dump(said))
