"""What did not change is not read again; whatever did is, however it changed."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.files import INVENTORY, KINDS, Folder, LookSettings, policy

from failoverd.config import documents, rereading
from failoverd.config.diagnostics import Diagnostic
from failoverd.config.loader import PolicyLoader
from failoverd.ports import Kinds, ProbeKind

LONG_AGO = 1_000_000_000.0


class Scene:
    """Two policies, `a` and `b`, a loader, and the paths that are read; `read` counts the checks that were."""

    def __init__(self, root: Path) -> None:
        self.files = Folder(root)
        self.read: list[str] = []
        self.loader = PolicyLoader(self.files.config, self._kinds())
        for name in ("a", "b"):
            self.write(name)

    def write(self, name: str, **changes: str) -> Path:
        path = self.files.write(f"{name}.yaml", policy(name, f"{name}.example.net", **changes))
        os.utime(path, (LONG_AGO, LONG_AGO))  # as if it had lain there for long
        return path

    def load(self) -> list[str]:
        """Load, and say how many checks were read on the way; their policies run from now on."""
        self.read.clear()
        self.files.running = self.loader.load(self.files.running).policies
        return self.read

    def _kinds(self) -> Kinds:
        class Counted(LookSettings):
            def model_post_init(_, __: Any, /) -> None:  # noqa: ANN401, N805 - the signature of pydantic
                self.read.append("live")

        def never(*_: object) -> Any:  # noqa: ANN401 - it does not return
            raise AssertionError("reading files opened a prober")

        return replace(KINDS, probes={"look": ProbeKind("look", Counted, never)})


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_what_did_not_change_is_the_same_policy(scene: Scene) -> None:
    scene.load()
    before = dict(scene.files.running)
    assert len(before) == 2
    assert scene.load() == []
    assert all(scene.files.running[name] is policy for name, policy in before.items())


def test_only_the_edited_file_is_read(scene: Scene) -> None:
    scene.load()
    before = dict(scene.files.running)
    scene.write("b", health="{fall: 5}")
    assert len(scene.load()) == 1
    assert scene.files.running["a"] is before["a"]
    assert scene.files.running["b"].health.fall == 5


def test_a_file_that_is_not_opened_when_its_times_say_enough(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def bytes_of(path: Path) -> bytes | Diagnostic:
        opened.append(path.name)
        return documents.bytes_of(path)

    scene.load()
    monkeypatch.setattr(rereading, "bytes_of", bytes_of)
    scene.load()
    assert opened == ["regions.yaml"]  # written just now: it may change within the same tick


def test_an_edit_within_the_same_tick_of_the_file_system_is_seen(scene: Scene) -> None:
    path = scene.files.write("a.yaml", policy("a", "a.example.net", health="{fall: 4}"))
    scene.load()
    times = path.stat()
    path.write_text(policy("a", "a.example.net", health="{fall: 5}"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    scene.load()
    assert scene.files.running["a"].health.fall == 5


def test_a_file_that_was_only_touched_is_not_parsed_again(scene: Scene, tmp_path: Path) -> None:
    scene.load()
    os.utime(tmp_path / "policies" / "a.yaml", (LONG_AGO + 60, LONG_AGO + 60))
    assert scene.load() == []


def test_another_inventory_has_every_policy_looked_at_again(scene: Scene) -> None:
    scene.load()
    before = dict(scene.files.running)
    scene.files.write("regions.yaml", INVENTORY + "  spare: {cloud: aws}\n")
    assert len(scene.load()) == 2
    assert scene.files.running == before


def test_a_file_that_could_not_be_read_is_tried_again_though_it_did_not_change(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("failoverd.files.os.open", _no_descriptors)
        assert scene.load() == []
        assert scene.files.running == {}
    assert len(scene.load()) == 2
    assert sorted(scene.files.running) == ["a", "b"]


def _no_descriptors(*_: object) -> int:
    raise OSError(24, "Too many open files")


def test_a_file_that_is_gone_is_forgotten(scene: Scene, tmp_path: Path) -> None:
    scene.load()
    (tmp_path / "policies" / "a.yaml").unlink()
    scene.load()
    assert list(scene.files.running) == ["b"]
    scene.write("a")
    assert len(scene.load()) == 1


def test_of_a_link_out_of_the_folder_the_daemon_repeats_no_word(scene: Scene) -> None:
    """Its log, its status and the page are read by who may not read what a link in the folder leads to."""
    (scene.files.root / "secrets").write_text("STRIPE: CANARY-live\n")
    (scene.files.root / "policies" / "link.yaml").symlink_to("../secrets")
    found = scene.loader.load({})
    (rejected,) = found.rejected.values()
    assert "check the file in its own place" in found.diagnostics[0].hint
    for words in (*found.diagnostics, *rejected.diagnostics, *rejected.errors):
        assert ("STRIPE" in repr(words), "CANARY" in repr(words)) == (False, False), words
    (scene.files.root / "policies" / "link.yaml").unlink()
    inventory = scene.files.root / "policies" / "regions.yaml"
    inventory.unlink()
    inventory.symlink_to("../../secrets")
    (scene.files.root.parent / "secrets").write_text("STRIPE: CANARY-live\n")
    found = scene.loader.load({})
    told = [*found.diagnostics, *(words for each in found.rejected.values() for words in each.diagnostics)]
    assert [words for words in told if "STRIPE" in repr(words) or "CANARY" in repr(words)] == []
