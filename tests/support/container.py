"""Becomes a container: `python -m support.container`, told by JSON how, in namespaces of its own (`support.pods`)."""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

_HIDDEN: Final = {"dev", "etc", "mnt", "opt", "proc", "run", "srv", "sys", "tmp", "var"}
"""Of the machine's own root, what the pod does not see, or sees in another way."""

_READONLY: Final = 1
_RECURSIVE: Final = 0x8000
_MOUNT_SETATTR: Final = 442


class _Attributes(ctypes.Structure):
    """`struct mount_attr` of mount_setattr(2)."""

    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def _within(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _lock(path: Path) -> None:
    """Read-only, with all that is mounted below it."""
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = _Attributes(attr_set=_READONLY)
    size = ctypes.sizeof(attributes)
    if libc.syscall(_MOUNT_SETATTR, -100, bytes(path), _RECURSIVE, ctypes.byref(attributes), size) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))


def _bind(source: str, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _run("mount", "--rbind", source, target)


def _run(*command: str | Path) -> None:
    subprocess.run([*map(str, command)], check=True)


def _become(how: Mapping[str, Any]) -> None:
    root = Path(how["root"])
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", root)
    _see_the_machine(root)
    for mount in how["mounts"]:
        if mount["readonly"]:
            _bind(mount["from"], _within(root, mount["to"]))
    for later in ("/old", "/proc", *(mount["to"] for mount in how["mounts"])):
        _within(root, later).mkdir(parents=True, exist_ok=True)
    places = [f"{mount['to']}/" for mount in how["mounts"] if not mount["readonly"]]
    hidden = [path for path in how["code"] if path.split("/")[1] in _HIDDEN]
    covered = [path for path in hidden if path.startswith(tuple(places))]  # the checkout may lie below /tmp
    for path in set(hidden) - set(covered):
        _bind(path, _within(root, path))
    _lock(root)
    _bind("/proc", root / "proc")
    _mount_writable(root, how["mounts"])
    for path in covered:
        _bind(path, _within(root, path))
        _lock(_within(root, path))
    if how["loopback"]:
        _run("ip", "link", "set", "lo", "up")
    _enter(root)
    uid, gid = how["user"]
    user = ["unshare", "--user", f"--map-user={uid}", f"--map-group={gid}"]
    os.execvpe("unshare", [*user, "setpriv", "--no-new-privs", *how["command"]], how["environment"])  # noqa: S606 - this is the container


def _see_the_machine(root: Path) -> None:
    """Its programs and libraries, and nothing that says who it is."""
    for entry in Path("/").iterdir():
        if entry.is_symlink():
            (root / entry.name).symlink_to(entry.readlink())
        elif entry.is_dir() and entry.name not in _HIDDEN:
            _bind(str(entry), root / entry.name)
    for shared in ("/dev", "/etc/ssl", "/etc/alternatives"):
        _bind(shared, _within(root, shared))


def _mount_writable(root: Path, mounts: Iterable[Mapping[str, Any]]) -> None:
    for mount in mounts:
        target = _within(root, mount["to"])
        if mount["size"]:
            _run("mount", "-t", "tmpfs", "-o", f"size={mount['size']},mode=777", "tmpfs", target)
        elif not mount["readonly"]:
            _bind(mount["from"], target)


def _enter(root: Path) -> None:
    """Not by chroot: who did that may make no further user namespace (user_namespaces(7))."""
    os.chdir(root)
    _run("pivot_root", ".", "old")
    os.chdir("/")
    _run("umount", "-l", "/old")


if __name__ == "__main__":
    _become(json.loads(sys.argv[1]))
