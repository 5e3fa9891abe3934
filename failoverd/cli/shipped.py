"""`failoverctl files`: what comes with failoverd besides the programs, and where it belongs.

A wheel has it inside the package (`failoverd/shipped`), so that it is there however that was installed; a checkout has
it beside the package.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from failoverd.cli.failing import print_json, print_text, told, unknown, usage
from failoverd.cli.options import Exit, Output
from failoverd.cli.screen import shown

_PACKAGE: Final = Path(__file__).parents[1]

_PLACES: Final = {
    "systemd/failoverd.service": "/etc/systemd/system/failoverd.service",
    "systemd/failoverd-operators.conf": "/etc/systemd/system/failoverd.service.d/operators.conf",
    "systemd/failoverd-sysusers.conf": "/etc/sysusers.d/failoverd.conf",
    "systemd/failoverd-tmpfiles.conf": "/etc/tmpfiles.d/failoverd.conf",
    "systemd/failoverd-ping.conf": "/etc/sysctl.d/60-failoverd-ping.conf",
    "systemd/failoverd.yaml": "/etc/failoverd/failoverd.yaml",
    "systemd/failoverd.catalog": "/usr/lib/systemd/catalog/failoverd.catalog",
    "systemd/failoverctl-offline": "/usr/local/bin/failoverctl-offline",
}
"""Where a file of one machine belongs. The other files are examples, or say it by their own place (`share/...`)."""

_FOLDERS: Final = ("systemd", "examples", "policies", "monitoring", "kubernetes", "share")


def shipped() -> dict[str, Path]:
    """Every file by its name."""
    base = _PACKAGE / "shipped"
    base = base if base.is_dir() else _PACKAGE.parent
    return {path.relative_to(base).as_posix(): path for folder in _FOLDERS for path in _files(base / folder)}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def files(name: str | None, output: Output) -> Exit:
    """List them, or print the one whose name ends so."""
    with told():
        found = shipped()
        if name is not None:
            print_text(found[_chosen(name, found)].read_text("utf-8"))
        elif output is Output.JSON:
            print_json([{"name": each, "path": str(path), "belongs": _belongs(each)} for each, path in found.items()])
        else:
            _show(found)
        return Exit.FINE


def _chosen(name: str, found: dict[str, Path]) -> str:
    if name in found:
        return name
    fitting = [each for each in found if each.endswith(f"/{name}")]
    if not fitting:
        raise unknown("file", name, [part for each in found for part in (each, Path(each).name)])
    if len(fitting) > 1:
        raise usage(f"{name!r} may be {' or '.join(fitting)}")
    return fitting[0]


def _belongs(name: str) -> str:
    """Where it is to be put, "" for an example. What man and the shells look for, they find below /usr/local/share."""
    return _PLACES.get(name, f"/usr/local/{name}" if name.startswith("share/") else "")


def _show(found: dict[str, Path]) -> None:
    first = next(iter(found))
    base = str(found[first]).removesuffix(first)
    lines = [f"{name}\n    -> {_PLACES[name]}" if name in _PLACES else name for name in found]
    heading = f"{len(found)} files below {base}"
    ending = "failoverctl files NAME prints one. What is below share/ belongs in /usr/local."
    print_text(shown("\n".join([heading, "", *lines, "", ending, ""]), lines=True))
