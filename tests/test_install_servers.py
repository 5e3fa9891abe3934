"""The script that installs the real servers: it installs where it may, and otherwise says one line. It never skips.

What it looks for is what the tests run: the programs of the system's packages, at the same places.

Every command that could change this machine is a fake of the test's own.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.servers import PLACES, program

SCRIPT = Path(__file__).with_name("install-servers")
BASH = shutil.which("bash") or "/bin/bash"

STARTED = (
    "named", "named-checkconf", "dig", "nsupdate", "knotd", "knotc", "kdig", "pdns_server", "pdnsutil", "etcd",
    "etcdctl", "aws", "curl", "jq", "systemd-analyze", "ip", "nft", "unshare", "setpriv", "prometheus-alertmanager",
    "amtool", "prometheus", "promtool",
    "systemd-nspawn", "nsenter", "sysctl", "useradd", "sqlite3",
    "kubectl", "mount", "umount", "pivot_root",
    "man", "zsh", "fish", "mmdebstrap", "newuidmap", "dpkg-deb", "chromium",
    "strace",
)  # fmt: skip
"""What the tests start and a machine may lack."""


@dataclass(frozen=True)
class Machine:
    """One directory with nothing in it but fakes, each of which writes down how it was called."""

    directory: Path

    @property
    def calls(self) -> list[str]:
        log = self.directory / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def has(self, command: str, does: str = "") -> None:
        path = self.directory / command
        path.write_text(f'#!{BASH}\necho "{command} $*" >> {self.directory}/calls\n{does}\n')
        path.chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BASH, str(SCRIPT), *arguments],
            env={
                "PATH": str(self.directory),
                "PLACES": str(self.directory),
                "POWERDNS_SCHEMA": str(self.directory / "schema.sql"),
                "DEBIAN_KEYRING": str(self.directory / "debian.gpg"),
                "LIBATOMIC": str(self.directory / "libatomic.so.1"),
                "LIBFAKETIME": str(self.directory / "libfaketime.so.1"),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without any of the servers' clients, used by an ordinary user."""
    machine = Machine(tmp_path)
    machine.has("id", "echo 1000")
    return machine


@pytest.fixture
def owned(machine: Machine) -> Machine:
    """The same, used by root, with an apt-get that brings every command; nothing outside its directory is touched."""
    brought = (*STARTED, *MEASURED, "python3", "schema.sql", "debian.gpg", "libatomic.so.1", "libfaketime.so.1")
    installs = "; ".join(f"printf '' > {machine.directory}/{name}" for name in brought)
    marks = f"{shutil.which('chmod')} 755 {machine.directory}/*"
    machine.has("id", "echo 0")
    machine.has("apt-get", f'[ "$1" = update ] || {{ {installs}; {marks}; }}')
    for command in ("rm", "tee", "chmod"):
        machine.has(command)
    (machine.directory / "env").symlink_to(shutil.which("env") or "/usr/bin/env")
    return machine


def test_where_everything_is_installed_nothing_happens() -> None:
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False, timeout=60, env=dict(os.environ))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_where_nothing_may_be_installed_one_line_says_what_to_do(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("make test needs: sudo apt-get install -y ")
    assert {"bind9-dnsutils", "knot-dnsutils", "jq", "systemd"} <= set(line.split())
    assert {"pdns-server", "pdns-backend-sqlite3", "awscli", "curl"} <= set(line.split())
    assert line.count("bind9-dnsutils") == 1
    assert line.count("pdns-server") == 1


def test_a_program_elsewhere_on_the_path_does_not_count_for_the_tests_run_another(owned: Machine) -> None:
    assert owned.run().returncode == 0
    elsewhere = owned.directory / "shims"
    elsewhere.mkdir()
    for command in STARTED:
        (owned.directory / command).rename(elsewhere / command)
    assert owned.run(PATH=f"{elsewhere}:{owned.directory}").returncode == 0
    first, again = [set(call.split()) for call in owned.calls if call.startswith("apt-get install")]
    assert first - again == {"python3", "pdns-backend-sqlite3", "debian-archive-keyring", "libatomic1", "libfaketime"}


def test_the_script_looks_where_the_tests_find_their_programs() -> None:
    assert f"PLACES=${{PLACES:-{PLACES}}}" in SCRIPT.read_text()
    assert os.environ["PATH"] == PLACES
    rows = set(re.findall(r"([\w-]+)=[\w-]+", SCRIPT.read_text().partition("\n        servers)")[2].partition(";;")[0]))
    assert set(STARTED) == rows - {"python", "POWERDNS_SCHEMA", "DEBIAN_KEYRING", "LIBATOMIC", "LIBFAKETIME"}
    assert all(Path(program(command)).parent in map(Path, PLACES.split(":")) for command in STARTED)


def test_a_powerdns_without_its_backend_is_not_enough(owned: Machine) -> None:
    for command in ("pdns_server", "pdnsutil"):
        owned.has(command)
    assert owned.run().returncode == 0
    installs = [call for call in owned.calls if call.startswith("apt-get install")]
    assert ["pdns-backend-sqlite3" in call.split() for call in installs] == [True]
    assert not any("pdns-server" in call.split() for call in installs)


def test_without_a_passwordless_sudo_nothing_is_tried(machine: Machine) -> None:
    machine.has("apt-get")
    machine.has("sudo", "exit 1")
    done = machine.run()
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert not [call for call in machine.calls if call.startswith("apt-get")]


def test_root_installs_what_is_missing_and_starts_no_service(owned: Machine) -> None:
    done = owned.run()
    assert (done.returncode, done.stderr) == (0, "")
    updates, installs = [call for call in owned.calls if call.startswith("apt-get")]
    assert updates.startswith("apt-get update")
    assert installs.startswith("apt-get install -y -q --no-install-recommends")
    assert {"bind9-dnsutils", "knot-dnsutils", "jq", "systemd"} <= set(installs.split())
    policy = "/usr/sbin/policy-rc.d"
    ours = [call.split()[0] for call in owned.calls if policy in call]
    assert ours == ([] if Path(policy).exists() else ["tee", "chmod", "rm"])


def test_a_user_with_passwordless_sudo_installs_through_it(owned: Machine) -> None:
    owned.has("id", "echo 1000")
    owned.has("sudo", 'shift; [ "$1" = true ] || "$@"')
    assert owned.run().returncode == 0
    through_sudo = [
        call for call in owned.calls if call.startswith("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get")
    ]
    assert len(through_sudo) == 1


def test_a_failing_apt_ends_with_the_command_to_run(owned: Machine) -> None:
    owned.has("apt-get", 'echo "E: no network" >&2; exit 100')
    done = owned.run()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("make test needs: sudo apt-get install -y ")
    assert len([call for call in owned.calls if call.startswith("apt-get")]) == 1


def test_an_installation_that_brings_nothing_is_a_failure(owned: Machine) -> None:
    owned.has("apt-get")
    done = owned.run()
    assert done.returncode == 1
    assert "did not bring the commands" in done.stderr


MEASURED = {
    "gdnsd": "gdnsd",
    "nft": "nftables",
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
}
"""What `make bench` needs, command to package."""


def test_what_is_measured_is_named_where_it_may_not_be_installed(machine: Machine) -> None:
    done = machine.run("bench")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"make bench needs: sudo apt-get install -y {' '.join(MEASURED.values())}\n"
    for command in MEASURED:
        machine.has(command)
    assert machine.run("bench").returncode == 0


def test_root_installs_what_is_measured_and_starts_no_service(owned: Machine) -> None:
    assert owned.run("bench").returncode == 0
    (installs,) = [call for call in owned.calls if call.startswith("apt-get install")]
    assert set(MEASURED.values()) <= set(installs.split())
    policy = "/usr/sbin/policy-rc.d"
    ours = [call.split()[0] for call in owned.calls if policy in call]
    assert ours == ([] if Path(policy).exists() else ["tee", "chmod", "rm"])
    assert owned.run("bench").returncode == 0
    assert len([call for call in owned.calls if call.startswith("apt-get install")]) == 1


def test_a_python_that_makes_no_environments_is_named(machine: Machine) -> None:
    machine.has("broken", "exit 1")
    done = machine.run("python", PYTHON="broken")
    assert (done.returncode, done.stderr) == (1, "make needs: sudo apt-get install -y python3-venv\n")
    machine.has("whole")
    assert machine.run("python", PYTHON="whole").returncode == 0


@pytest.mark.parametrize("version", ["2.7", "3.9", "3.10"])
def test_a_python_that_is_too_old_is_named_with_what_to_do(owned: Machine, version: str) -> None:
    owned.has("python3", f"echo {version}")
    done = owned.run("python")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("make needs Python 3.11 or newer (Debian 12, Ubuntu 24.04), and python3 is " + version)
    assert not [call for call in owned.calls if call.startswith("apt-get")]


@pytest.mark.parametrize("version", ["3.11", "3.13", "4.0"])
def test_a_python_that_is_new_enough_is_taken(machine: Machine, version: str) -> None:
    machine.has("python3", f"echo {version}")
    assert machine.run("python").returncode == 0


def test_an_old_python_that_apt_brings_is_named_too(owned: Machine) -> None:
    brings = f"printf '#!{BASH}\\necho 3.10\\n' > {owned.directory}/python3"
    owned.has("apt-get", f"{brings}; {shutil.which('chmod')} 755 {owned.directory}/python3")
    done = owned.run("python")
    assert done.returncode == 1
    assert "and python3 is 3.10" in done.stderr.splitlines()[-1]


def test_without_an_ipv6_loopback_one_line_says_so_before_anything_is_installed(owned: Machine) -> None:
    owned.has("python3", "exit 1")
    done = owned.run()
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("make test needs the address ::1, which cannot be bound here: enable IPv6 on the loopback")
    assert "  " not in line
    assert not [call for call in owned.calls if call.startswith("apt-get")]
    assert "::1" in next(call for call in owned.calls if call.startswith("python3 -c"))


def test_the_python_that_make_was_given_is_asked_for_the_loopback(owned: Machine) -> None:
    owned.has("mine", "exit 1")
    assert "::1" in owned.run(PYTHON="mine").stderr


def test_an_environment_that_broke_half_way_is_made_again(tmp_path: Path) -> None:
    venv, python, log = tmp_path / "venv", tmp_path / "python", tmp_path / "log"
    half = f'echo made >> {log}; mkdir -p {venv}/bin; touch {venv}/bin/python; [ "$(wc -l < {log})" -gt 1 ]'
    python.write_text(f'#!{BASH}\n[ "$1 $2" != "-m venv" ] || {{ {half}; }}\n')
    python.chmod(0o755)
    make = ["make", "-C", str(SCRIPT.parents[1]), f"VENV={venv}", f"PYTHON={python}", f"{venv}/made"]

    def run() -> tuple[bool, int]:
        done = subprocess.run(make, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode == 0, len(log.read_text().splitlines())

    assert [run(), run(), run()] == [(False, 1), (True, 2), (True, 2)]


def test_an_unknown_argument_is_refused(machine: Machine) -> None:
    done = machine.run("everything")
    assert done.returncode == 1
    assert done.stderr.startswith("usage: ")
