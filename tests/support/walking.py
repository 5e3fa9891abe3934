"""A page that somebody follows: each of its commands is run, in its order, in one shell, as they would type it.

A block `sh` is typed in; each line of a block `text` after it has to be in what that printed. Ports, addresses and
folders are variables of the page, so that it is followed wherever there is room for it, also in another system's root:

    walked(PAGE, inside(root, ports()))
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.debian_root import Root
from support.servers import free_port

PAGE: Final = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
"""From zero to a real zone."""

WITHIN_SECONDS: Final = 600
"""Ten minutes is what a person should need; a test is on a busy machine, and types faster."""

PATIENCE: Final = 300.0
_MARK: Final = "\x1e"


@dataclass(frozen=True)
class Step:
    """One block: where it stands, what was typed, what the page promises, what was printed, how long it took."""

    heading: str
    typed: str
    promised: tuple[str, ...]
    printed: str = ""
    seconds: float = 0.0

    @property
    def broken(self) -> list[str]:
        """The promised lines that were not printed."""
        return [line for line in self.promised if line not in self.printed]


def steps(page: str) -> Iterator[Step]:
    """The blocks of a page."""
    heading, found = "", None
    for title, kind, text in re.findall(r"^## ([^\n]*)$|^```(sh|text)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if kind == "text":
            assert found is not None, text
            found = Step(found.heading, found.typed, tuple(text.splitlines()))
            continue
        if found is not None:
            yield found
        found = Step(heading, text, ()) if kind == "sh" else None
        heading = title or heading
    if found is not None:
        yield found


def ports() -> dict[str, str]:
    """Free ones, by the page's variables."""
    return {"DNS_PORT": str(free_port()), "HTTP_PORT": str(free_port())}


def unkept(went: Sequence[Step]) -> list[str]:
    """What the page promises and a walk did not keep. How long the steps took is told on standard output."""
    seconds = {f"{each.heading} ({number})": round(each.seconds, 1) for number, each in enumerate(went)}
    sys.stdout.write(f"the walk took {sum(seconds.values()):.1f} s: {seconds}\n")
    slow = [f"it took {sum(seconds.values())} s"] if sum(seconds.values()) > WITHIN_SECONDS else []
    return [f"{each.heading}: {each.broken} is not in {each.printed}" for each in went if each.broken] + slow


Shell = Callable[[str], tuple[int, str]]
"""Runs a script by bash, which ends at the first command that fails (`-e`); says how it ended and what it printed."""


def walked(page: str, shell: Shell) -> list[Step]:
    """Every step, as it went.

    Raises:
        AssertionError: a command failed; it has what was printed until then.
    """
    asked = list(steps(page))
    now = f"printf '\\n{_MARK}%s\\n' \"$EPOCHREALTIME\"\n"
    code, printed = shell("".join(f"{now}{each.typed}" for each in asked) + now)
    assert code == 0, f"{code}: {printed}"
    parts = [part.partition("\n") for part in printed.split(f"\n{_MARK}")[1:]]
    times = [float(time) for time, _, _ in parts]
    return [
        Step(each.heading, each.typed, each.promised, text, end - begin)
        for each, (_, _, text), begin, end in zip(asked, parts, times, times[1:], strict=False)
    ]


def here(variables: Mapping[str, str], folder: Path) -> Shell:
    """A shell of this machine. What it leaves behind is killed with it; `folder` is for the output."""

    def run(script: str) -> tuple[int, str]:
        output = folder / "output"
        with output.open("wb") as file:  # not a pipe: what the page leaves in the background would hold it open
            process = subprocess.Popen(
                ["bash", "-euc", script],
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(PATIENCE)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return code, output.read_text()

    return run


def inside(root: Root, variables: Mapping[str, str]) -> Shell:
    """A shell of another Debian, whose processes end with it."""

    def run(script: str) -> tuple[int, str]:
        done = root.run("env", *(f"{name}={value}" for name, value in variables.items()), "bash", "-euc", script)
        return done.returncode, done.stdout

    return run
