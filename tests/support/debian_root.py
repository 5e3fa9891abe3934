"""A small Debian in a folder, in which commands run as on a machine of its own. Made once in a run, copied for a test.

    root = debian_root(tmp_path_factory).copied(tmp_path / "root")
    root.run("apt-get", "install", "--yes", "/tmp/some.deb")

Commands see devices and processes of their own, and with `alone` a network of their own, of loopback only. Who is not
root is root there by a user namespace, which takes unprivileged user namespaces and subordinate user ids (subuid(5)).
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.servers import PLACES, program

PATIENCE = 300.0
"""Seconds, for what takes a few on an idle machine."""

RELEASES = {(3, 11): "bookworm", (3, 13): "trixie"}
"""The Debian that has a version of Python: what is compiled for that runs nowhere else."""

PACKAGES = ("python3", "ca-certificates", "systemd", "bind9", "bind9-dnsutils")
"""What the package of failoverd needs there, and what docs/tutorial.md has one install. One list, and so one root, for
all tests of a run: a second one costs ten times what BIND costs in the first."""

_LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/zoneinfo/*",
)
_ENTER = """root=$1 && shift &&
mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" && exec chroot "$root" "$@"
"""


@dataclass(frozen=True)
class Root:
    """A folder with a Debian in it."""

    path: Path

    def into(self, *, alone: bool = False) -> list[str]:
        """What stands before a command that is to run there. It and what it started are gone when this one is."""
        unshare = ["unshare", *_as_root(), "--mount", "--pid", "--fork", "--kill-child"]
        if alone:
            return [*unshare, "--net", "sh", "-c", f"ip link set lo up && {_ENTER}", "-", str(self.path)]
        return [*unshare, "sh", "-c", _ENTER, "-", str(self.path)]

    def login(self, user: str) -> list[str]:
        """The same for somebody who has just logged in: their home, their network, the path that Debian gives them."""
        return [*self.into(alone=True), "runuser", "--login", "--command", 'exec "$0" "$@"', "--", user]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command there. What it prints is one text, as a person would see it."""
        return subprocess.run(
            [*self.into(), *words],
            env={"PATH": PLACES, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HOME": "/root"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def gone(self) -> None:
        """Remove it. Its files belong to users whom only its namespace knows."""
        _outside("rm", "-rf", "--one-file-system", str(self.path))


@dataclass(frozen=True)
class RootArchive:
    """A Debian as an archive."""

    path: Path

    def copied(self, folder: Path) -> Root:
        folder.mkdir()
        _outside("tar", "--extract", "--file", str(self.path), "--directory", str(folder), "--exclude=./dev/*")
        return Root(folder)


def debian_root(factory: pytest.TempPathFactory) -> RootArchive:
    """The smallest Debian with `PACKAGES`, the same one for all processes of a run."""
    release = RELEASES.get(sys.version_info[:2])
    if release is None:
        pytest.skip(f"no Debian has the Python {sys.version_info.major}.{sys.version_info.minor} of these tests")
    return RootArchive(once(factory, f"{release}.tar", lambda path: _made(path, release)))


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """What `make` makes at the path that it is given, made by the first process of the run that wants it."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    path, beginning = shared / name, shared / f"{name}.begun"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            if beginning.is_dir():
                shutil.rmtree(beginning)
            make(beginning)
            beginning.rename(path)
    return path


def _made(path: Path, release: str) -> None:
    """Nothing is synced to the disk meanwhile, and what nobody reads is left out."""
    options = ["force-unsafe-io", *(f"path-exclude={each}" for each in _LEFT_OUT)]
    words = ["--quiet", "--variant=minbase", "--format=tar", f"--include={','.join(PACKAGES)}"]
    words += [f"--dpkgopt={each}" for each in options]
    # Made with /usr merged, not converted by a program that brings all of Perl: a third less files, a sixth less work.
    words.append("--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr")
    # What is installed there later is whole.
    words.append('--customize-hook=echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"')
    done = subprocess.run(
        [program("mmdebstrap"), *words, release, str(path)],
        env={**os.environ, "PATH": PLACES},
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr


def _as_root() -> list[str]:
    return [] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"]


def _outside(*words: str) -> None:
    command = list(words) if os.geteuid() == 0 else ["unshare", *_as_root(), *words]
    subprocess.run(command, env={"PATH": PLACES}, check=True, timeout=PATIENCE)
