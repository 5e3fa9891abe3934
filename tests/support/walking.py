"""A page that somebody follows: each of its commands is run, in its order, in one shell, as they would type it.

A block `sh` is typed in; each line of a block `text` after it has to be in what that printed. Ports, addresses and
folders are variables of the page, so that it is followed wherever there is room for it, also in another system's root:

    walked(page, {"LAB": "/root/lab", "PATH": ...}, tmp_path, ("chroot", str(root)))
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TUTORIAL: Final = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
PATIENCE: Final = 300.0
WITHIN_SECONDS: Final = 600
"""Ten minutes is what a person should need; the machine of the tests is busy, and types faster."""
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


def walked(page: str, variables: Mapping[str, str], folder: Path, into: Sequence[str] = ()) -> list[Step]:
    """Every step, as it went. `into` is a command that runs another one elsewhere; `folder` is for the output.

    Raises:
        AssertionError: a command failed; it has what was printed until then.
    """
    asked = list(steps(page))
    script = "".join(f"printf '\\n{_MARK}%s\\n' \"$EPOCHREALTIME\"\n{each.typed}" for each in asked)
    script += f"printf '\\n{_MARK}%s\\n' \"$EPOCHREALTIME\"\n"
    output = folder / "output"
    with output.open("wb") as file:  # not a pipe: what the page leaves in the background would hold it open
        process = subprocess.Popen(
            [*into, "bash", "-euc", script],
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
    printed = output.read_text()
    assert code == 0, f"{code}: {printed}"
    parts = [part.partition("\n") for part in printed.split(f"\n{_MARK}")[1:]]
    times = [float(time) for time, _, _ in parts]
    return [
        Step(each.heading, each.typed, each.promised, text, end - begin)
        for each, (_, _, text), begin, end in zip(asked, parts, times, times[1:], strict=False)
    ]


def kept_its_word(went: Sequence[Step]) -> dict[str, float]:
    """Whether the tutorial led to where it says; tells how long each step took, in seconds, by its place."""
    assert [each for each in went if each.broken] == []
    assert "127.0.1.1" not in next(each for each in went if each.heading == "7. Break a region").printed
    seconds = {f"{each.heading} ({number})": round(each.seconds, 1) for number, each in enumerate(went)}
    sys.stdout.write(f"the walk took {sum(seconds.values()):.1f} s: {seconds}\n")
    assert sum(seconds.values()) < WITHIN_SECONDS
    return seconds
