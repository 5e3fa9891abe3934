"""`failoverctl init`: asks, writes, and says what comes next."""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from failoverd.cli.failing import print_text, told
from failoverd.cli.options import Exit
from failoverd.cli.screen import shown
from failoverd.cli.starting import answers
from failoverd.cli.starting.answers import First
from failoverd.cli.starting.gathering import SERVICE, Flags, gathered, is_service
from failoverd.cli.starting.interview import Person
from failoverd.cli.starting.new_files import require_room, save_new
from failoverd.cli.starting.texts import files
from failoverd.config.loader import load_config, load_policies
from failoverd.config.machine import missing_sdk
from failoverd.core.errors import ConfigError
from failoverd.core.names import quoted
from failoverd.files import CREDENTIALS
from failoverd.installed import kinds

_SECRETS: Final = SERVICE / "secrets"
"""Where the service's secrets are on the disk, before systemd hands them over."""


def init(flags: Flags) -> Exit:
    with told():
        require_room(flags.folder)
        person = Person() if sys.stdin.isatty() and not flags.yes else None
        try:
            first = gathered(flags, person)
            texts = files(first)
            where = shown(str(flags.folder.absolute()))
            if person is not None and not person.agrees(f"write {', '.join(texts)} to {where}?"):
                print_text("nothing was written\n")
                return Exit.FAILED
        except KeyboardInterrupt:
            sys.stderr.write("\nnothing was written\n")
            raise
        save_new(flags.folder, texts, lambda beside: _prove(beside, flags.folder))
        lines = [*(f"written: {flags.folder / name}" for name in texts), "", *_next(flags.folder, first)]
        print_text(shown("\n".join(lines) + "\n", lines=True))
    return Exit.FINE


def _prove(beside: Path, folder: Path) -> None:
    """What is handed out loads. Raises ConfigError when answers that are right by themselves do not fit each other."""
    loaded = load_config(beside / "failoverd.yaml", kinds())
    found = list(loaded.diagnostics)
    if loaded.config is not None:
        found += load_policies(loaded.config, kinds(), running={}).diagnostics
    wrong = [each.render().replace(str(beside), str(folder)) for each in found if each.is_error]
    if wrong:
        raise ConfigError(
            "this would not load:\n" + "\n".join(wrong),
            reason="init_unfit",
            remedy="nothing was written; say what fits, or write the files by hand: docs/policies.md",
        )


def _next(folder: Path, first: First) -> Iterator[str]:
    before = list(_before(first))
    if before:
        yield "First:"
        yield from (f"  {line}" for line in before)
        yield ""
    option = "" if is_service(folder) else f" --config {shlex.quote(str(folder / 'failoverd.yaml'))}"
    name = quoted(first.record)
    if first.kind.capabilities.creates:
        yield f"If {name} has an answer already, plan refuses it, and says so. To take it over, before the daemon runs:"
    else:
        yield f"Nobody but you makes {name}. When it is there, and before the daemon runs:"
    yield f"  failoverctl adopt {first.policy} {name}{option}"
    yield ""
    yield "Then:"
    if is_service(folder):
        yield "  sudo failoverctl-offline check   # what is wrong with the files, and what this machine lacks"
        yield "  sudo failoverctl-offline plan    # what would be published; writes nothing"
        yield "  sudo systemctl enable --now failoverd"
        return
    yield f"  failoverctl check{option}   # what is wrong with the files, and what this machine lacks"
    yield f"  failoverctl plan{option}    # what would be published; writes nothing"
    yield f"  failoverd run{option}       # publishes it, and keeps it right until it is stopped"


def _before(first: First) -> Iterator[str]:
    """What this machine lacks so far."""
    if missing_sdk(first.kind):
        yield first.kind.brought_by
    for need in first.kind.needs:
        said = answers.said_at(first.settings, need.key)
        if not need.make or said is None:
            continue
        handed_over = said.startswith(CREDENTIALS)
        file = _SECRETS / Path(said).name if handed_over else Path(said)
        if not os.path.exists(file):  # noqa: PTH110 - Path.exists raises where this user may not look
            name = answers.said_at(first.settings, f"{need.key.partition('.')[0]}.name")
            yield need.make.format(file=shlex.quote(str(file)), name=name)
        if handed_over:
            yield f"systemctl edit failoverd  # two lines: [Service], and LoadCredential={file.name}:{file}"
