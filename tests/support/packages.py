"""What is given to users, built once in a run: wheel, source distribution, and Debian package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.debian_root import once

ROOT = Path(__file__).parents[2]
_ENVIRONMENT = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
_HATCHLING = [sys.executable, "-m", "hatchling", "build"]


def distributions(factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution of this tree in it, and the wheel that is built of that."""
    return once(factory, "distributions", _distributions)


def _distributions(folder: Path) -> None:
    done(*_HATCHLING, "--target", "sdist", "--directory", str(folder), folder=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    done(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(sdist),
    )


def package(factory: pytest.TempPathFactory) -> Path:
    """The Debian package of failoverd, packed fast, with the libraries that are installed here."""
    (deb,) = once(factory, "packages", lambda folder: _package(factory, folder)).glob("*.deb")
    return deb


def _package(factory: pytest.TempPathFactory, folder: Path) -> None:
    words = ["--wheels", str(distributions(factory)), "--out", str(folder), "--release", "deb12", "--quick"]
    done(sys.executable, str(ROOT / "packages" / "deb.py"), *words)


def done(*words: str, folder: Path | None = None) -> str:
    """What a command prints that must not fail."""
    ended = subprocess.run(
        words,
        cwd=folder,
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout
