"""Completion, in the shells that it is for. What is typed is `|` for the cursor's end."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.servers import PLACES, program

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from packages.command_tree import Command, tree  # noqa: E402 - the line above is how it is found

SHARE = ROOT / "share"
BASH = SHARE / "bash-completion" / "completions"
ZSH = SHARE / "zsh" / "site-functions"
FISH = SHARE / "fish" / "vendor_completions.d"

_ASK_BASH = """
. "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
"_$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def shell(name: str, *words: str, folder: Path | None = None) -> str:
    done = subprocess.run(
        [program(name), *words],
        cwd=folder,
        env={"PATH": PLACES, "HOME": str(folder or "/nonexistent"), "LC_ALL": "C.UTF-8", "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def bash(*words: str, folder: Path | None = None) -> list[str]:
    """What bash offers for these words, of which the last is being typed."""
    script = str(BASH / words[0])
    return [
        line
        for line in shell("bash", "--norc", "-c", _ASK_BASH, "-", script, *words, folder=folder).split("\n")
        if line
    ]


def fish(typed: str, folder: Path) -> list[str]:
    script = FISH / f"{typed.split(maxsplit=1)[0]}.fish"
    said = shell("fish", "--no-config", "-c", f"source {script}; complete -C '{typed}'", folder=folder)
    return [line.partition("\t")[0] for line in said.splitlines()]


VERBS = [each for name in ("failoverd", "failoverctl") for each in tree(name).walked() if not each.verbs]


def names(command: Command) -> set[str]:
    return {name for option in command.options for name in option.names}


def test_bash_finishes_a_verb() -> None:
    assert bash("failoverctl", "dr") == ["drain"]
    assert bash("failoverd", "r") == ["run"]


def test_bash_offers_every_verb() -> None:
    for name in ("failoverd", "failoverctl"):
        assert set(bash(name, "")) == {each.words[-1] for each in tree(name).verbs}


def test_bash_finishes_the_verb_of_a_group() -> None:
    assert bash("failoverctl", "notify", "") == ["test"]
    assert bash("failoverctl", "notify", "test", "--out") == ["--output"]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name.replace(" ", "-"))
def test_bash_offers_every_option(verb: Command) -> None:
    assert set(bash(verb.program, *verb.words, "-")) == names(verb)


def test_bash_offers_the_options_of_the_program() -> None:
    assert bash("failoverctl", "--v") == ["--version"]


def test_bash_offers_what_an_option_may_be_with_and_without_an_equals_sign() -> None:
    assert bash("failoverctl", "drain", "west", "--output", "") == ["text", "json"]
    assert bash("failoverctl", "status", "-o", "j") == ["json"]
    assert bash("failoverctl", "status", "--output", "=", "j") == ["json"]
    assert bash("failoverctl", "status", "--output", "=") == ["text", "json"]


def test_bash_offers_what_a_word_may_be() -> None:
    assert bash("failoverctl", "schema", "") == ["policy", "regions", "config", "tests", "scenario", "api", "events"]


def test_bash_offers_files_where_files_are_meant_and_only_there(tmp_path: Path) -> None:
    (tmp_path / "shop policy.yaml").touch()
    assert bash("failoverctl", "check", "sh", folder=tmp_path) == ["shop policy.yaml"]
    assert bash("failoverctl", "status", "--config", "", folder=tmp_path) == ["shop policy.yaml"]
    assert bash("failoverctl", "drain", "sh", folder=tmp_path) == []
    assert bash("failoverctl", "drain", "--reason", "", folder=tmp_path) == []


def test_a_region_that_is_called_as_a_verb_is_no_verb() -> None:
    assert "--approve-with" in bash("failoverctl", "drain", "up", "--a")
    assert "--approve-with" not in bash("failoverctl", "up", "drain", "-")


def test_fish_finishes_verbs_options_and_values(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").touch()
    assert fish("failoverctl dr", tmp_path) == ["drain"]
    assert fish("failoverctl drain up --appr", tmp_path) == ["--approve-with"]
    assert fish("failoverctl status -o ", tmp_path) == ["json", "text"]
    assert fish("failoverctl notify ", tmp_path) == ["test"]
    assert fish("failoverctl check sh", tmp_path) == ["shop.yaml"]
    assert fish("failoverctl drain sh", tmp_path) == []
    assert fish("failoverd ", tmp_path) == ["demo", "run"]


@pytest.mark.parametrize("name", ["failoverd", "failoverctl"])
def test_zsh_understands_its_script(name: str) -> None:
    shell("zsh", "-f", "-n", str(ZSH / f"_{name}"))


# Its prompt is a character that nobody types, so that it is seen when it is drawn and not when it is set: from then on
# the line editor reads the terminal, and not the system, which would give back what is typed.
_ASK_ZSH = r"""
zmodload zsh/zpty
zpty asked zsh -f -i
zpty -w asked "fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; zstyle ':completion:*' list-colors ''"
zpty -w asked "bindkey '^I' complete-word; setopt no_beep; LISTMAX=0; PS1=\$'\x06'"
zpty -r asked said $'*\x06*'
zpty -w -n asked "$2"$'\t'
zpty -w -n asked $'\x05@\n'
zpty -r -m asked said '*@*'
print -r -- "$said"
zpty -d asked
"""


def test_zsh_finishes_a_verb_and_an_option() -> None:
    assert "failoverctl drain " in shell("zsh", "-f", "-c", _ASK_ZSH, "-", str(ZSH), "failoverctl dr")
    assert "--approve-with" in shell("zsh", "-f", "-c", _ASK_ZSH, "-", str(ZSH), "failoverctl drain west --appr")


def test_every_shell_has_every_option_of_every_verb() -> None:
    for each in VERBS:
        zsh, fishy = (ZSH / f"_{each.program}").read_text(), (FISH / f"{each.program}.fish").read_text()
        for name in names(each):
            assert f"{name}[" in zsh
            assert f"-l {name[2:]} " in fishy if name.startswith("--") else f"-s {name[1:]} " in fishy
