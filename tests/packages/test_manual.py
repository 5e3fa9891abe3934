"""The manual says what the commands say, all of it, and renders without a complaint."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.servers import PLACES, program

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from packages.command_tree import Command, tree  # noqa: E402 - the line above is how it is found
from packages.render import rendered, write  # noqa: E402 - the same

KEPT = ROOT / "share"
VERBS = [each for each in tree("failoverctl").walked() if each.words and not each.verbs]


def kept() -> dict[str, str]:
    return {path.relative_to(KEPT).as_posix(): path.read_text() for path in KEPT.rglob("*") if path.is_file()}


def man(*pages: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("man"), "--warnings", "-l", *map(str, pages)],
        env={"PATH": PLACES, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PAGER": "cat", "MANPAGER": "cat"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def page(words: Path | str) -> str:
    done = man(KEPT / "man" / words)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def test_what_is_kept_is_what_the_commands_say_now() -> None:
    """Make it again with `make manual`."""
    assert kept() == rendered()


def test_it_does_not_tell_the_settings_of_whoever_made_it(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "packages" / "render.py"), str(tmp_path / "share")]
    subprocess.run(command, env={**os.environ, "FAILOVERD_CONFIG": "/home/me/mine.yaml"}, check=True, timeout=60)
    made = [path.read_text() for path in (tmp_path / "share").rglob("*") if path.is_file()]
    assert len(made) == len(kept())
    assert not [text for text in made if "/home/me" in text]


def test_what_no_verb_has_any_more_is_gone(tmp_path: Path) -> None:
    old = tmp_path / "man" / "man1" / "failoverctl-gone.1"
    old.parent.mkdir(parents=True)
    old.touch()
    write(tmp_path)
    assert not old.exists()
    assert old.with_name("failoverctl-drain.1").exists()


def test_no_page_is_complained_of() -> None:
    done = man(*sorted((KEPT / "man").rglob("*.[18]")))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_with_a_fault_would_be(tmp_path: Path) -> None:
    fault = tmp_path / "failoverctl.1"
    fault.write_text('.TH FAILOVERCTL 1\n.SH NAME\n.nosuchrequest "x\n')
    assert "nosuchrequest" in man(fault).stderr


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: "-".join(verb.words))
def test_a_page_has_every_option_and_every_word_of_its_verb(verb: Command) -> None:
    source = (KEPT / "man" / "man1" / f"failoverctl-{'-'.join(verb.words)}.1").read_text().replace("\\-", "-")
    for option in verb.options:
        assert all(f"\\fB{name}\\fR" in source for name in option.names), option
    for argument in verb.arguments:
        assert f".I {argument.usage}\n" in source
    assert source.startswith('.\\" Made by')


def test_the_page_of_a_verb_can_be_read() -> None:
    text = page("man1/failoverctl-switch.1")
    assert "failoverctl switch [OPTIONS]" in text
    assert "--help, -h" in text


def test_the_page_of_the_program_lists_the_verbs_the_exit_codes_and_the_files() -> None:
    text = page("man1/failoverctl.1")
    for verb in VERBS:
        assert f"{' '.join(verb.words)} " in text
        assert f"failoverctl-{'-'.join(verb.words)}(1)" in text
    assert "12 no daemon is there to do it" in text
    assert "/etc/failoverd/failoverd.yaml" in text


def test_the_page_of_the_daemon_has_its_commands_and_signals() -> None:
    text = page("man8/failoverd.8")
    for said in (
        "failoverd run",
        "failoverd demo",
        "--check-config",
        "--keep-running",
        "--version",
        "SIGTERM",
        "SIGHUP",
    ):
        assert said in text
