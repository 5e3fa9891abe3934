"""The Debian package in a Debian of its own: installed, upgraded, removed and purged, as an operator would.

In between, a newcomer makes a zone there that fails over: a user without rights, who has the package and the tutorial.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.debian_root import PACKAGES, Root, debian_root
from support.packages import package
from support.servers import PLACES
from support.walking import TUTORIAL, Step, kept_its_word, walked

pytestmark = [pytest.mark.slow, pytest.mark.server]

EXAMPLE = "etc/failoverd/example/failoverd.yaml"
INSTALL = (Path(__file__).parents[2] / "docs" / "install.md").read_text()


@pytest.fixture
def root(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    made = debian_root(tmp_path_factory).copied(tmp_path / "root")
    try:
        yield made
    finally:
        made.gone()


def install(root: Root, deb: Path) -> str:
    (root.path / "tmp" / deb.name).write_bytes(deb.read_bytes())
    return done(root, "apt-get", "install", "--yes", "--no-install-recommends", f"/tmp/{deb.name}")  # noqa: S108 - the root's


def done(root: Root, *words: str) -> str:
    ended = root.run(*words)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def test_it_is_installed_used_by_a_newcomer_upgraded_removed_and_purged(
    root: Root, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    """One story, for its root and its installation cost more than what is done there."""
    deb = package(tmp_path_factory)
    installed = as_the_page_says(root, deb, tmp_path)
    files_are_where_they_belong(root)
    nothing_is_started_or_enabled(root)
    what_is_installed_works(root)
    every_library_can_be_loaded_and_every_licence_is_named(root)
    record_property("seconds", kept_its_word([*installed, *a_newcomer_follows_the_tutorial(root, tmp_path)]))

    edited = root.path / EXAMPLE
    edited.write_text(edited.read_text() + "# ours\n")
    own = root.path / "etc" / "failoverd" / "failoverd.yaml"
    own.write_text("version: 1\n")
    journal = root.path / "var" / "lib" / "failoverd" / "journal.db"
    journal.parent.mkdir(parents=True)
    journal.write_text("what was done")

    be_older(root)
    assert "(0.1.0-1~deb12) over (0.0.9-1~deb12)" in install(root, deb)
    assert done(root, "dpkg-query", "--show", "--showformat=${Version}", "failoverd") == "0.1.0-1~deb12"
    assert edited.read_text().endswith("# ours\n")
    assert (own.read_text(), journal.read_text()) == ("version: 1\n", "what was done")

    done(root, "apt-get", "remove", "--yes", "failoverd")
    assert not (root.path / "opt" / "failoverd").exists()
    assert not (root.path / "usr" / "bin" / "failoverctl").is_symlink()
    assert edited.read_text().endswith("# ours\n")
    assert (own.read_text(), journal.read_text()) == ("version: 1\n", "what was done")

    said = done(root, "apt-get", "purge", "--yes", "failoverd")
    assert "left as they are, for no package brought them: /etc/failoverd/failoverd.yaml" in said
    assert not journal.parent.exists()
    assert not edited.exists()
    assert own.read_text() == "version: 1\n"


def test_what_the_tutorial_has_one_install_is_what_that_debian_has() -> None:
    """Nothing else is there, besides what the package depends on and recommends."""
    (named,) = re.findall(r"`apt install ([^`]+)`", TUTORIAL)
    assert set(PACKAGES) - set(named.split()) == {"ca-certificates", "systemd"}


def as_the_page_says(root: Root, deb: Path, folder: Path) -> list[Step]:
    """The first block of its chapter, as it is written. What comes after it there is for a service."""
    chapter = INSTALL[INSTALL.index("## Debian\n") :]
    (root.path / "root" / deb.name).write_bytes(deb.read_bytes())
    block = chapter[: chapter.index("\n```\n") + 5]
    return walked(block, {"PATH": PLACES}, folder, root.login("root"))


def a_newcomer_follows_the_tutorial(root: Root, folder: Path) -> list[Step]:
    """Nothing is set for them: they have a network to themselves, and the path that Debian gives to who logs in."""
    done(root, "useradd", "--create-home", "newcomer")
    # What a package that is not packed in haste brings, and what they must not write.
    done(root, "/opt/failoverd/bin/python3", "-m", "compileall", "-q", "/opt/failoverd/lib")
    return walked(TUTORIAL, {"PATH": PLACES}, folder, root.login("newcomer"))


def be_older(root: Root) -> None:
    """What is installed was of an older version, as far as dpkg knows."""
    status = root.path / "var" / "lib" / "dpkg" / "status"
    before, mark, after = status.read_text().partition("\nVersion: 0.1.0-1~deb12\n")
    assert mark
    status.write_text(f"{before}\nVersion: 0.0.9-1~deb12\n{after}")


def files_are_where_they_belong(root: Root) -> None:
    listed = set(done(root, "dpkg", "--listfiles", "failoverd").split())
    assert {
        "/usr/bin/failoverd",
        "/usr/bin/failoverctl",
        "/usr/lib/systemd/system/failoverd.service",
        "/usr/lib/sysusers.d/failoverd.conf",
        "/usr/lib/tmpfiles.d/failoverd.conf",
        "/usr/lib/sysctl.d/10-failoverd-ping.conf",
        "/usr/share/man/man8/failoverd.8.gz",
        "/usr/share/man/man1/failoverctl-drain.1.gz",
        "/usr/share/bash-completion/completions/failoverctl",
        "/usr/share/zsh/vendor-completions/_failoverctl",
        "/usr/share/fish/vendor_completions.d/failoverctl.fish",
        "/usr/share/doc/failoverd/copyright",
        f"/{EXAMPLE}",
    } <= listed
    programs = [path.removeprefix("/usr/bin/") for path in listed if path.startswith("/usr/bin/")]
    for name in programs:  # lintian refuses a package of which one has none
        assert any(f"/usr/share/man/man{section}/{name}.{section}.gz" in listed for section in (1, 8)), name
    tops = {path.split("/")[1] for path in listed if path.count("/") > 1}
    assert tops == {"opt", "usr", "etc"}
    conffiles = done(root, "dpkg-query", "--show", "--showformat=${Conffiles}", "failoverd")
    assert {line.split()[0] for line in conffiles.splitlines() if line.strip()} == {
        path for path in listed if path.startswith("/etc/") and path.endswith(".yaml")
    }
    unit = (root.path / "usr/lib/systemd/system/failoverd.service").read_text()
    (program,) = re.findall(r"^ExecStart=(\S+)", unit, re.MULTILINE)
    assert done(root, program, "--version") == "failoverd 0.1.0\n"


def nothing_is_started_or_enabled(root: Root) -> None:
    assert root.run("systemctl", "is-enabled", "failoverd").stdout == "disabled\n"
    assert not list((root.path / "etc" / "systemd").rglob("*failoverd*"))


def what_is_installed_works(root: Root) -> None:
    assert done(root, "failoverctl", "--version") == "failoverctl 0.1.0\n"
    assert "fine: 1 policy: inference-api" in done(root, "failoverctl", "check", "--config", f"/{EXAMPLE}")
    assert "--keep-running" in done(root, "failoverd", "demo", "--help")
    assert "/opt/failoverd/lib/" in done(root, "failoverctl", "files")
    assert "failoverd-operators:" in done(root, "getent", "group", "failoverd-operators")
    assert done(root, "stat", "--format=%a %U", "/etc/failoverd/secrets") == "700 root\n"


def every_library_can_be_loaded_and_every_licence_is_named(root: Root) -> None:
    objects = [str(each.relative_to(root.path)) for each in (root.path / "opt").rglob("*.so*")]
    assert objects
    assert "not found" not in done(root, "ldd", *(f"/{each}" for each in objects))
    site = next((root.path / "opt" / "failoverd" / "lib").glob("python3.*/site-packages"))
    copyrights = (root.path / "usr" / "share" / "doc" / "failoverd" / "copyright").read_text()
    for each in site.glob("*.dist-info"):
        if not each.name.startswith("failoverd-"):
            assert f"/{each.name}/*" in copyrights
    assert "License: unknown" not in copyrights
    texts = re.findall(r"^  (\S+dist-info/\S+)$", copyrights, re.MULTILINE)
    assert len(texts) > 20
    assert all((site / text).is_file() for text in texts)
