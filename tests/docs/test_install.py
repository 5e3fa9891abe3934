"""docs/install.md keeps its word. What it says of the Debian package is done in `tests/packages/test_deb.py`."""

import re
import subprocess
import sys
from pathlib import Path

from support.servers import PLACES, program

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from packages.deb import CONFFILES  # noqa: E402 - the line above is how it is found

PAGE = (ROOT / "docs" / "install.md").read_text()
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def shell(tmp_path: Path, line: str) -> str:
    """Run a line as it is written, with the programs of this checkout."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    script = programs / "failoverctl"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m failoverd.cli.operator "$@"\n')
    script.chmod(0o755)
    done = subprocess.run(
        [program("bash"), "-euc", line],
        cwd=tmp_path,
        env={"PATH": f"{programs}:{PLACES}", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, (line, done.stdout)
    return done.stdout


def test_every_line_about_the_files_runs_as_it_is_written(tmp_path: Path) -> None:
    lines = [line for line in LINES if line.startswith("failoverctl files")]
    assert len(lines) == 4
    for line in lines:
        shell(tmp_path, line)
    for name in ("failoverd.service", "failoverd.yaml", "failoverd-sysusers.conf"):
        assert (tmp_path / name).read_text() == (ROOT / "systemd" / name).read_text()


def test_completion_can_be_had_at_once(tmp_path: Path) -> None:
    (line,) = (line for line in LINES if line.startswith(". <("))
    assert "complete -F _failoverctl failoverctl" in shell(tmp_path, f"{line}; complete -p failoverctl")


def test_the_example_becomes_a_configuration_that_is_sound(tmp_path: Path) -> None:
    """As the Debian package has it, with the lines of the page in another folder."""
    site = tmp_path / "failoverd"
    for source, place in CONFFILES.items():
        target = site / Path(place).relative_to("etc/failoverd")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / source).read_bytes())
    (copy,) = (line for line in LINES if line.startswith("cp -r "))
    shell(tmp_path, copy.replace("/etc/failoverd", str(site)))
    assert "failoverctl check" in LINES
    said = shell(tmp_path, f"failoverctl check --config {site}/failoverd.yaml")
    assert "fine: 1 policy: inference-api" in said


def test_what_it_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`(?:[A-Z]+=\S+ |EXTRAS=\"[^\"]*\" )?make (\w+)`", PAGE)):
        assert f"\n{target}:" in makefile, target
    wheel = next(line for line in LINES if ".whl" in line)
    assert re.search(r"failoverd-([0-9.]+)-py3", wheel)[1] in (ROOT / "pyproject.toml").read_text()  # type: ignore[index]
