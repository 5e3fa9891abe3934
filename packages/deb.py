"""Builds the Debian packages, of wheels that are there already.

    packages/deb.py --wheels build/wheels --out dist                all four
    packages/deb.py --wheels dist --out FOLDER --quick              failoverd alone, to be tried: packed fast, without
                                                                    bytecode, with the libraries of this environment

They are what pip installs, below /opt/failoverd, in the layout of a virtual environment whose interpreter is Debian's,
and what Debian's tools look for below /usr and /etc. No debhelper: there is nothing to compile, and each file is put
where it belongs by one line here. What one cloud alone needs is a package of its own, for OCI's SDK is larger than all
of the rest.

Build it on the release that it is for: compiled libraries and bytecode are of one version of Python. The same wheels
and SOURCE_DATE_EPOCH (without it the time of the last commit) give the same package, bit by bit.
"""

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from string import Template
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
DEBIAN: Final = ROOT / "packages" / "debian"
PREFIX: Final = "opt/failoverd"
EXTRAS: Final = ("aws", "azure", "oci")
DEBIAN_PYTHON: Final = "/usr/bin/python3"

CONFFILES: Final = {
    "systemd/failoverd.yaml": "etc/failoverd/example/failoverd.yaml",
    "policies/regions.yaml": "etc/failoverd/example/policies/regions.yaml",
    "policies/inference-api.yaml": "etc/failoverd/example/policies/inference-api.yaml",
}
"""An example in a folder of its own: the daemon reads none of it, and what an operator writes is no conffile."""

_PLACES: Final = {
    **CONFFILES,
    "systemd/failoverd.service": "usr/lib/systemd/system/failoverd.service",
    "systemd/failoverd-sysusers.conf": "usr/lib/sysusers.d/failoverd.conf",
    "systemd/failoverd-tmpfiles.conf": "usr/lib/tmpfiles.d/failoverd.conf",
    # A low number: what the distribution or the operator says about ping sockets comes later, and counts.
    "systemd/failoverd-ping.conf": "usr/lib/sysctl.d/10-failoverd-ping.conf",
    "systemd/failoverctl-offline": f"{PREFIX}/bin/failoverctl-offline",
    "systemd/failoverd.catalog": "usr/lib/systemd/catalog/failoverd.catalog",
    "systemd/failoverd-operators.conf": "usr/share/doc/failoverd/examples/failoverd-operators.conf",
    "examples": "usr/share/doc/failoverd/examples",
    "policies": "usr/share/doc/failoverd/examples/policies",
    "monitoring": "usr/share/doc/failoverd/examples/monitoring",
    "share/bash-completion": "usr/share/bash-completion",
    "share/fish": "usr/share/fish",
    "share/zsh/site-functions": "usr/share/zsh/vendor-completions",
    "share/man": "usr/share/man",
}


@dataclass(frozen=True, slots=True)
class Build:
    """What is built, and how. `epoch`: seconds; no file in a package is younger."""

    wheels: Path
    out: Path
    version: str
    epoch: int
    quick: bool


@dataclass(frozen=True, slots=True)
class Bundled:
    """A library that comes along: what it says of itself, and its files, as they are below its folder of libraries."""

    name: str
    version: str
    licence: str
    files: tuple[Path, ...]


def main() -> None:
    build = _asked()
    with tempfile.TemporaryDirectory() as folder:
        for package in packages(build, Path(folder)):
            print(package)


def packages(build: Build, work: Path) -> Iterator[Path]:
    """Build them below `work`; gives the path of each."""
    stage = work / "stage"
    _installed(build, stage)
    (site,) = stage.glob(f"{PREFIX}/lib/python3.*/site-packages")
    if build.quick:
        _borrow(site)
    python = site.parent.name.removeprefix("python")
    for name, wanted in _shares(site, () if build.quick else EXTRAS).items():
        tree = work / name
        for each in wanted:
            _move(each, site, stage, tree)
        if name == "failoverd":
            _base(stage, tree, python)
        if not build.quick:
            _compile(tree)
        yield _packed(build, name, tree, python, wanted)


def _asked() -> Build:
    parser = argparse.ArgumentParser(prog="packages/deb.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wheels", type=Path, required=True, help="a folder of wheels, failoverd's own among them")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the packages go (dist)")
    parser.add_argument("--release", default=_release(), help="of Debian, at the end of the version (this machine's)")
    parser.add_argument("--revision", default="1", help="of the package (1)")
    parser.add_argument("--quick", action="store_true", help="failoverd alone, fast, to be tried")
    asked = parser.parse_args()
    (wheel,) = asked.wheels.glob("failoverd-*.whl")
    version = f"{wheel.name.split('-')[1]}-{asked.revision}~{asked.release}"
    asked.out.mkdir(parents=True, exist_ok=True)
    return Build(asked.wheels, asked.out, version, _epoch(), asked.quick)


def _release() -> str:
    """`deb12`: sorts before the package of the same version for the next release."""
    said = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    number = said.get("VERSION_ID", "").strip('"')
    return f"{said.get('ID', 'linux')[:3]}{number}"


def _epoch() -> int:
    said = os.environ.get("SOURCE_DATE_EPOCH")
    if said is None:
        git = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
        done = subprocess.run(git, capture_output=True, text=True, check=False)
        said = done.stdout.strip() or str(int((ROOT / "CHANGELOG.md").stat().st_mtime))
    return int(said)


# -- what pip installs -------------------------------------------------------------------------------------------------


def _installed(build: Build, stage: Path) -> None:
    """The layout of a virtual environment, without what is the business of whoever builds it."""
    prefix = stage / PREFIX
    wheels = sorted(map(str, build.wheels.glob("*.whl")))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    quiet = ["--no-warn-script-location", "--ignore-installed", "--prefix", str(prefix)]
    subprocess.run([*pip, *quiet, *wheels], check=True)
    for program in (prefix / "bin").iterdir():
        if program.name in {"failoverd", "failoverctl"}:
            body = program.read_text().split("\n", 1)[1]
            program.write_text(f"#!/{PREFIX}/bin/python3\n{body}")
        else:
            program.unlink()
    for record in prefix.rglob("direct_url.json"):  # names the folder of the build
        record.unlink()


def _borrow(site: Path) -> None:
    """The libraries that are installed here, of the same lock, instead of wheels that would be asked for again."""
    found = {canonicalize_name(each.name): each for each in reversed(list(distributions()))}
    ours = canonicalize_name("failoverd")
    for name in _needed(found, ours, "") - {ours}:
        for file in found[name].files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                _copy(Path(str(found[name].locate_file(file))), site / file)


def _shares(site: Path, extras: Iterable[str]) -> dict[str, list[Bundled]]:
    """Who brings which distribution. What several clouds need is in failoverd."""
    found = {canonicalize_name(each.name): each for each in distributions(path=[str(site)])}
    ours = canonicalize_name("failoverd")
    base = _needed(found, ours, "")
    only = {extra: _needed(found, ours, extra) - base for extra in extras}
    times = Counter(name for names in only.values() for name in names)
    shared = {name for name, count in times.items() if count > 1}
    shares = {"failoverd": base | shared, **{f"failoverd-{extra}": names - shared for extra, names in only.items()}}
    return {package: [_bundled(found[name]) for name in sorted(names)] for package, names in shares.items()}


def _bundled(distribution: Distribution) -> Bundled:
    files = tuple(Path(str(file)) for file in distribution.files or ())
    return Bundled(distribution.name, distribution.version, _licence(distribution), files)


def _needed(found: Mapping[NormalizedName, Distribution], name: NormalizedName, extra: str) -> set[NormalizedName]:
    """The name, and all that it requires, with that extra."""
    todo, done = [(name, extra)], set[tuple[NormalizedName, str]]()
    while todo:
        each = todo.pop()
        if each in done:
            continue
        done.add(each)
        for line in found[each[0]].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": each[1]}):
                of = canonicalize_name(requirement.name)
                todo += [(of, ""), *((of, more) for more in requirement.extras)]
    return {each for each, _ in done}


def _move(bundled: Bundled, site: Path, stage: Path, tree: Path) -> None:
    for file in bundled.files:
        path = Path(os.path.normpath(site / file))
        if path.exists():
            target = tree / path.relative_to(stage)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)


def _compile(tree: Path) -> None:
    """Bytecode that nothing checks against its source: dpkg exchanges both together, and the service may write none."""
    words = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(tree), "-p", "/", str(tree / PREFIX / "lib")]
    subprocess.run([DEBIAN_PYTHON, "-m", "compileall", *words], check=True, env={"PYTHONHASHSEED": "0"})


# -- what Debian adds --------------------------------------------------------------------------------------------------


def _base(stage: Path, tree: Path, python: str) -> None:
    prefix = tree / PREFIX
    shutil.copytree(stage / PREFIX / "bin", prefix / "bin", dirs_exist_ok=True)
    (prefix / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n")
    (prefix / "bin" / "python3").symlink_to(DEBIAN_PYTHON)
    (tree / "usr" / "bin").mkdir(parents=True)
    for program in ("failoverd", "failoverctl", "failoverctl-offline"):
        (tree / "usr" / "bin" / program).symlink_to(f"/{PREFIX}/bin/{program}")
    shutil.rmtree(prefix / "share")  # is below /usr/share, where man and the shells look
    for source, place in _PLACES.items():
        _copy(ROOT / source, tree / place)
    for page in sorted((tree / "usr" / "share" / "man").rglob("*.[18]")):
        _zip(page, page.read_bytes())
        page.unlink()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def _zip(path: Path, data: bytes) -> None:
    with path.with_name(f"{path.name}.gz").open("wb") as file:
        file.write(gzip.compress(data, 9, mtime=0))


def _documents(build: Build, name: str, tree: Path, wanted: Iterable[Bundled]) -> None:
    folder = tree / "usr" / "share" / "doc" / name
    folder.mkdir(parents=True, exist_ok=True)
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(build.epoch))
    entry = f"""\
        {name} ({build.version}) unstable; urgency=medium

          * What changed for users is told in /usr/share/doc/failoverd/changelog.gz.

         -- The failoverd authors <failoverd@localhost>  {date}
        """
    _zip(folder / "changelog.Debian", textwrap.dedent(entry).encode())
    year = time.gmtime(build.epoch).tm_year
    (folder / "copyright").write_text("\n".join(_copyright(wanted, year)), "utf-8")
    if name == "failoverd":
        _zip(folder / "changelog", (ROOT / "CHANGELOG.md").read_bytes())
    overrides = tree / "usr" / "share" / "lintian" / "overrides" / name
    overrides.parent.mkdir(parents=True, exist_ok=True)
    said = (DEBIAN / "lintian-overrides").read_text().replace("failoverd: ", f"{name}: ")
    overrides.write_text(said)


def _copyright(wanted: Iterable[Bundled], year: int) -> Iterator[str]:
    """Machine-readable (copyright-format 1.0), of what each distribution says of itself, and where its texts are."""
    yield "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
    yield "Upstream-Name: failoverd"
    yield "Comment: The libraries are as their authors publish them on PyPI."
    yield f"\nFiles: *\nCopyright: {year} The failoverd authors\nLicense: Apache-2.0"
    for each in wanted:
        if each.name == "failoverd":
            continue
        inside = [str(file) for file in each.files if not str(file).startswith("..")]
        texts = [file for file in inside if re.search(r"dist-info/.*(LICEN[CS]E|COPYING|NOTICE)", file)]
        places = " ".join(f"{PREFIX}/lib/python3*/site-packages/{top}" for top in sorted(set(map(_top, inside))))
        yield f"\nFiles: {places}"
        yield f"Copyright: The authors of {each.name} {each.version}"
        yield f"License: {each.licence}"
        yield " As its authors say in /opt/failoverd/lib/python3*/site-packages:"
        yield from (f"  {text}" for text in texts or [file for file in inside if file.endswith("dist-info/METADATA")])
    yield "\nLicense: Apache-2.0\n The whole text is in /usr/share/common-licenses/Apache-2.0.\n"


def _top(file: str) -> str:
    """A file's first folder; below a namespace that several share, the folder in it."""
    parts = file.split("/")
    depth = 3 if parts[:2] == ["azure", "mgmt"] else 2 if parts[0] in {"azure", "ruamel"} else 1
    return "/".join(parts[:depth]) + ("/*" if len(parts) > depth else "")


def _licence(distribution: Distribution) -> str:
    """In a few words. Some put the whole text where its name should be."""
    every = distribution.metadata.get_all
    said = str((every("License-Expression") or every("License") or [""])[0])
    if not said or "\n" in said:
        classes = [each for each in every("Classifier") or () if each.startswith("License ::")]
        said = " or ".join(each.rsplit(" :: ", 1)[1] for each in classes)
    return said.strip() or "unknown"


# -- the package itself ------------------------------------------------------------------------------------------------


def _packed(build: Build, name: str, tree: Path, python: str, wanted: Iterable[Bundled]) -> Path:
    _documents(build, name, tree, wanted)
    _settle(tree)
    control = tree / "DEBIAN"
    control.mkdir()
    architecture = _architecture() if any(tree.rglob("*.so*")) or name == "failoverd" else "all"
    major, minor = python.split(".")
    stanza = _stanza(name).substitute(
        version=build.version,
        architecture=architecture,
        size=sum(_kilobytes(path) for path in tree.rglob("*")),
        python=python,
        next_python=f"{major}.{int(minor) + 1}",
    )
    (control / "control").write_text(stanza)
    sums = [f"{_md5(path)}  {path.relative_to(tree)}\n" for path in _files(tree)]
    (control / "md5sums").write_text("".join(sums))
    if name == "failoverd":
        (control / "conffiles").write_text("".join(f"/{place}\n" for place in CONFFILES.values()))
        for script in ("postinst", "prerm", "postrm"):
            shutil.copy(DEBIAN / script, control)
            (control / script).chmod(0o755)
    target = build.out / f"{name}_{build.version}_{architecture}.deb"
    packing = ["-Zgzip", "-z1"] if build.quick else ["-Zxz"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(build.epoch)}
    command = ["dpkg-deb", "--root-owner-group", *packing, "--build", str(tree), str(target)]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return target


def _stanza(name: str) -> Template:
    for stanza in (DEBIAN / "control").read_text().split("\n\n"):
        if stanza.startswith(f"Package: {name}\n"):
            return Template(stanza.rstrip() + "\n")
    raise ValueError(f"packages/debian/control has no package {name}")


def _settle(tree: Path) -> None:
    """Modes that do not depend on the umask of whoever builds."""
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            runs = path.is_dir() or (path.parent.name == "bin" and path.parent.parent.name == "failoverd")
            path.chmod(0o755 if runs else 0o644)


def _files(tree: Path) -> list[Path]:
    found = (path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in found if path.relative_to(tree).parts[0] not in {"DEBIAN", "etc"})


def _kilobytes(path: Path) -> int:
    return 1 if path.is_dir() or path.is_symlink() else -(-path.stat().st_size // 1024)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _architecture() -> str:
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
