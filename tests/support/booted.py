"""A machine that systemd booted, with failoverd on it as its install page says; for who is root.

A container (systemd-nspawn) with a network of its own, and with the programs of this machine: its /usr, read-only. All
else is made here, so that it is there at once, is the same everywhere, and knows none of this machine's services.
`FAILOVERD_USR` names the /usr of another system, which then is booted instead: `make boot`.

with machine(folder) as here, here.network():
    here.run("systemctl", "start", "failoverd")
"""

import ctypes
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.servers import PLACES, program

ROOT: Final = Path(__file__).parents[2]
UNITS: Final = ROOT / "systemd"
OPT: Final = "/opt/failoverd"
CHECKOUT: Final = "/srv/failoverd"
"""Where the machine has this project, as somebody has it who installs it."""
CONTROL: Final = f"{OPT}/bin/failoverctl"

USR: Final = Path(os.environ.get("FAILOVERD_USR", "/usr"))
PATIENCE: Final = 120.0
"""Seconds for a command, and for what is waited for. A boot takes one or two."""

_CLONE_NEWNET: Final = 0x40000000
_PYTHON: Final = "/opt/python"
"""Where the interpreter of the tests is, unless it is one of the machine's own /usr."""


def unbootable() -> str:
    """Why no machine can be booted here; empty where one can."""
    if os.geteuid() != 0:
        return "only root can boot a machine: systemd under the unit file is not tested"
    hierarchy = _cgroup()
    if hierarchy is None or not os.access(hierarchy, os.W_OK):
        return "no cgroup2 hierarchy is writable here, so no machine boots: systemd under the unit file is not tested"
    return ""


@dataclass(frozen=True)
class Machine:
    """It runs. `root` is what it has at `/`, as it is seen from here."""

    root: Path
    leader: int

    def run(self, *words: str, ok: bool = True, said: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """A command of its root's. `stdout` is what it printed on both streams."""
        done = subprocess.run(
            ["nsenter", f"--target={self.leader}", "--all", *words],
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
            env={"PATH": f"{OPT}/bin:{PLACES}", "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0", **env},
        )
        assert done.returncode == 0 or not ok, f"{' '.join(words)}: {done.returncode}\n{done.stdout}"
        return done

    def file(self, path: str) -> Path:
        """One of its files, from here."""
        return self.root / path.lstrip("/")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file of it, in folders that everybody may enter."""
        file = self.file(path)
        for folder in [each for each in reversed(file.parents) if not each.exists()]:
            folder.mkdir()
            folder.chmod(0o755)
        file.write_text(text)
        file.chmod(mode)

    def shown(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit, as `systemctl show` has them."""
        printed = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).stdout
        return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)

    def until(self, fits: Callable[[], object], words: str) -> None:
        """Ask again and again until it is so."""
        end = time.monotonic() + PATIENCE
        while not fits():
            assert time.monotonic() < end, f"never so: {words}\n{self.journal('--lines=60')}"
            time.sleep(0.2)  # what it waits for needs the processor more

    def journal(self, *words: str) -> str:
        """What its journald has by now."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--no-pager", *words).stdout

    @contextmanager
    def network(self) -> Iterator[None]:
        """This thread, and what it starts, are in the machine's network meanwhile."""
        with ExitStack() as stack:
            home = stack.enter_context(open("/proc/thread-self/ns/net", "rb"))  # noqa: PTH123 - a file to hold
            there = stack.enter_context(open(f"/proc/{self.leader}/ns/net", "rb"))  # noqa: PTH123 - as above
            _enter(there.fileno())
            stack.callback(lambda: _enter(home.fileno()))
            yield


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Booted, with failoverd in /opt/failoverd and nothing of it at work yet."""
    root, name = folder / "root", f"failoverd-{uuid.uuid4().hex[:8]}"
    mounts = _made(root)
    with _cgroups(name) as groups, (folder / "console").open("wb") as console:
        command = [
            *(program("systemd-nspawn"), f"--directory={root}", f"--machine={name}", "--boot", "--private-network"),
            *("--register=no", "--keep-unit", "--console=pipe", "--link-journal=no", "--resolv-conf=off"),
            *("--timezone=off", f"--bind-ro={USR}:/usr", "--tmpfs=/usr/local/bin:mode=0755"),
            *(f"--bind-ro={source}:{place}" for place, source in mounts.items()),
        ]
        booting = subprocess.Popen(
            ["sh", "-c", _IN_CGROUPS, *command],
            env={"PATH": PLACES, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "GROUPS_OF_IT": " ".join(map(str, groups))},
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
        try:
            made = Machine(root, _leader(booting, folder / "console"))
            made.until(lambda: made.run("systemctl", "is-system-running", ok=False).stdout in _UP, "it is up")
            if _PYTHON in mounts:
                made.run("ldconfig")
            yield made
        finally:
            _end(booting)


_UP: Final = {"running\n", "degraded\n"}
_IN_CGROUPS: Final = """\
for each in $GROUPS_OF_IT; do echo $$ > "$each/cgroup.procs"; done
exec setpriv --pdeathsig TERM "$0" "$@"
"""
"""It ends with the tests, however these end."""


# -- what it has -------------------------------------------------------------------------------------------------------


def _made(root: Path) -> Mapping[str, Path]:
    """Everything but /usr; says what else is to be seen there, by its place."""
    for folder in ("usr", "etc", "var/lib", "var/log/journal", "tmp", "run", "proc", "sys", "dev", "root", "home"):
        (root / folder).mkdir(parents=True)
    for link in ("bin", "sbin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    for path, text in _ETC.items():
        (root / "etc" / path).write_text(text)
        (root / "etc" / path).chmod(0o600 if "shadow" in path else 0o644)
    (root / "etc" / "os-release").write_text((USR / "lib" / "os-release").read_text())
    (root / "etc" / "machine-id").write_text(f"{uuid.uuid4().hex}\n")  # without one, all units of /usr are enabled
    for folder in ("systemd/system", "sysctl.d"):
        (root / "etc" / folder).mkdir(parents=True)
    (root / "etc" / "systemd" / "system" / "default.target").symlink_to("/usr/lib/systemd/system/multi-user.target")
    for each in [root, *root.rglob("*")]:
        if each.is_dir() and not each.is_symlink():
            each.chmod(0o755)
    return _installed(root)


_ETC: Final = {
    "hostname": "machine\n",
    "hosts": "127.0.0.1 localhost machine\n::1 localhost\n",
    "nsswitch.conf": "passwd: files systemd\ngroup: files systemd\nshadow: files\nhosts: files\n",
    "passwd": "root:x:0:0:root:/root:/bin/sh\nmessagebus:x:101:101::/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nmessagebus:x:101:\n",
    "shadow": "root:*:20000::::::\n",
    "gshadow": "root:*::\n",
    "ld.so.conf": f"{_PYTHON}/lib\n",
    "login.defs": "UID_MIN 1000\nGID_MIN 1000\nUSERGROUPS_ENAB yes\n",
}


def _installed(root: Path) -> Mapping[str, Path]:
    """failoverd's own virtual environment, made of this one's parts: they are mounted, not copied."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base, mounts = Path(sys.base_prefix), dict[str, Path]()
    if Path("/usr") not in [base, *base.parents] or Path("/usr") != USR:
        mounts[_PYTHON], base = base, Path(_PYTHON)
    packages = [Path(each) for each in sys.path if each.endswith(("site-packages", "dist-packages"))]
    packages = [each.resolve() for each in packages if Path(sys.base_prefix) not in each.parents]
    mounts |= {f"{OPT}/packages/{number}": each for number, each in enumerate(packages)}
    mounts |= {f"{OPT}/lib/{version}/site-packages/failoverd": ROOT / "failoverd", CHECKOUT: ROOT}
    for place in mounts:
        (root / place.lstrip("/")).mkdir(parents=True)
    here = root / OPT.lstrip("/")
    (here / "bin").mkdir()
    (here / "bin" / "python").symlink_to(base / "bin" / version)
    (here / "pyvenv.cfg").write_text(f"home = {base}/bin\ninclude-system-site-packages = false\n")
    listed = "".join(f"{OPT}/packages/{number}\n" for number in range(len(packages)))
    (here / "lib" / version / "site-packages" / "packages.pth").write_text(listed)
    for name, module in (("failoverd", "daemon"), ("failoverctl", "operator")):
        script = here / "bin" / name
        script.write_text(f"#!{OPT}/bin/python\nfrom failoverd.cli.{module} import main\nmain()\n")
        script.chmod(0o755)
    return mounts


# -- the container -----------------------------------------------------------------------------------------------------


def _cgroup() -> Path | None:
    """Where the hierarchy of cgroup2 is mounted."""
    found = re.search(r"^\S+ (\S+) cgroup2 ", Path("/proc/mounts").read_text(), re.MULTILINE)
    return Path(found[1]) if found is not None else None


@contextmanager
def _cgroups(name: str) -> Iterator[list[Path]]:
    """Control groups of its own, for nspawn divides the one that it is started in. Beside cgroup2, of an older one."""
    hierarchy, older = _cgroup(), Path("/sys/fs/cgroup/systemd")
    assert hierarchy is not None
    groups = [hierarchy / name, *([older / name] if (older / "cgroup.procs").exists() else [])]
    for group in groups:
        group.mkdir()
    try:
        yield groups
    finally:
        for group in groups:
            for each in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
                each.rmdir()
            group.rmdir()


def _leader(booting: subprocess.Popen[bytes], console: Path) -> int:
    """The process that is its PID 1, as it is numbered here."""
    end = time.monotonic() + PATIENCE
    while booting.poll() is None and time.monotonic() < end:
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):
                said = status.read_text()
                if f"\nPPid:\t{booting.pid}\n" in said and re.search(r"^NSpid:\t\d+\t1$", said, re.MULTILINE):
                    pid = int(status.parent.name)
                    if (Path(f"/proc/{pid}/root/run/systemd/private")).is_socket():
                        return pid
    raise RuntimeError(f"the machine did not boot:\n{console.read_text(errors='replace')}")


def _end(booting: subprocess.Popen[bytes]) -> None:
    booting.terminate()
    try:
        booting.wait(timeout=20)
    except subprocess.TimeoutExpired:
        booting.kill()
        booting.wait()


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
