"""Wheel and source distribution: what pip installs of them is all that a machine without a checkout needs."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from support.debian_root import once
from support.packages import distributions, done

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

GENERATED = {"__pycache__", "build", "dist"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return distributions(tmp_path_factory)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Path:
    """An empty virtual environment, and the wheel in it. The libraries are those of the tests."""

    def make(folder: Path) -> None:
        done(sys.executable, "-m", "venv", "--without-pip", str(folder))
        (wheel,) = built.glob("*.whl")
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
        done(*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel))
        (site,) = folder.glob("lib/python3.*/site-packages")
        # As paths, not as site folders: the checkout that the tests run from must not be found.
        others = [path for path in sys.path if path.endswith("-packages")]
        (site / "libraries.pth").write_text("\n".join(others))

        for program in ("failoverd", "failoverctl"):  # their first line has the name of before
            script = folder / "bin" / program
            script.write_text(f"#!{folder.with_name('installed')}/bin/python\n" + script.read_text().split("\n", 1)[1])

    return once(tmp_path_factory, "installed", make)


def run(installed: Path, program: str, *words: str) -> tuple[int, str]:
    ended = subprocess.run(
        [installed / "bin" / program, *words],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    return ended.returncode, ended.stdout


def test_the_programs_know_their_version(installed: Path) -> None:
    assert run(installed, "failoverd", "--version") == (0, "failoverd 0.1.0\n")
    assert run(installed, "failoverctl", "--version") == (0, "failoverctl 0.1.0\n")


def test_they_are_the_installed_ones(installed: Path) -> None:
    where = done(
        str(installed / "bin" / "python"), "-c", "import failoverd; print(failoverd.__file__)", folder=Path("/")
    )
    assert Path(where.strip()).is_relative_to(installed)


def test_the_demo_is_there(installed: Path) -> None:
    code, said = run(installed, "failoverd", "demo", "--help")
    assert (code, "--keep-running" in said) == (0, True)


def test_the_unit_and_the_examples_are_inside(installed: Path) -> None:
    code, said = run(installed, "failoverctl", "files")
    assert (code, f"files below {installed}/lib/" in said) == (0, True), said
    assert run(installed, "failoverctl", "files", "failoverd.service") == (
        0,
        (ROOT / "systemd" / "failoverd.service").read_text(),
    )


def test_a_configuration_made_of_the_examples_is_sound(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    for name in ("systemd/failoverd.yaml", "policies/regions.yaml", "policies/inference-api.yaml"):
        folder = tmp_path / "policies" if name.startswith("policies/") else tmp_path
        (folder / Path(name).name).write_text(run(installed, "failoverctl", "files", name)[1])
    code, said = run(installed, "failoverctl", "check", "--config", str(tmp_path / "failoverd.yaml"))
    assert (code, "fine: 1 policy: inference-api" in said) == (0, True), said


def test_man_and_the_shells_find_theirs_beside_the_programs(installed: Path) -> None:
    for place in (
        "man/man8/failoverd.8",
        "man/man1/failoverctl-drain.1",
        "bash-completion/completions/failoverctl",
        "zsh/site-functions/_failoverctl",
        "fish/vendor_completions.d/failoverctl.fish",
    ):
        assert (installed / "share" / place).read_bytes() == (ROOT / "share" / place).read_bytes()


def test_the_wheel_from_the_source_distribution_is_the_wheel_from_the_tree(built: Path, tmp_path: Path) -> None:
    """So nothing is missing there that a wheel needs; and whoever builds it again gets the same."""
    done(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path), folder=ROOT)
    (again,), (wheel,) = tmp_path.glob("*.whl"), built.glob("*.whl")
    with zipfile.ZipFile(again) as one, zipfile.ZipFile(wheel) as other:
        names = sorted(each.filename for each in one.infolist())
        assert names == sorted(each.filename for each in other.infolist())
        assert [name for name in names if one.read(name) != other.read(name)] == []


def test_the_source_distribution_has_the_tree_and_no_litter(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    hidden = {name for name in names if Path(name).parts and any(part.startswith(".") for part in Path(name).parts)}
    assert hidden <= {".gitignore", ".pre-commit-hooks.yaml"}
    assert not [name for name in names if name.endswith((".pyc", ".whl", ".deb", ".db"))]
    wanted = {
        (Path(folder) / name).relative_to(ROOT).as_posix()
        for part in (
            "failoverd",
            "tests",
            "systemd",
            "examples",
            "policies",
            "share",
            "packages",
            "docs",
            "requirements",
        )
        for folder, _, files in os.walk(ROOT / part)
        if GENERATED.isdisjoint(Path(folder).relative_to(ROOT).parts)
        for name in files
    }
    assert wanted - names == set()
    assert {"Makefile", "mkdocs.yml", "LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"} <= names
    assert {"pyproject.toml", "PKG-INFO", "Containerfile"} <= names
