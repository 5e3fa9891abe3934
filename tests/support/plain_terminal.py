"""`failoverctl` and `failoverd` where nothing but ASCII is understood, neither on the screen nor in the names of files.

    LC_ALL=C PYTHONIOENCODING=ascii PYTHONUTF8=0 COLUMNS=40 python -m support.plain_terminal < commands.json

Each command is a list of words, the first of them the program. One process for all of them, since to begin takes
longest; tells as JSON how each ended, and what was on its streams.
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from support.commands import Ended
from support.servers import PLACES

_ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def on_plain_terminal(commands: Sequence[Sequence[str]], columns: int) -> list[Ended]:
    """How each command ended there."""
    done = subprocess.run(
        [sys.executable, "-m", "support.plain_terminal"],
        env={**ENVIRONMENT, "PATH": PLACES, "PYTHONPATH": f"{_ROOT}:{_ROOT / 'tests'}", "COLUMNS": str(columns)},
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Ended(code, out.encode("latin-1"), err) for code, out, err in json.loads(done.stdout)]


def _run(program: str, *words: str) -> tuple[int | str | None, str, str]:
    from failoverd.cli import daemon, operator  # noqa: PLC0415 - once the streams are those of the command

    out, err = io.BytesIO(), io.BytesIO()
    argv = [program, *(os.fsdecode(word.encode()) for word in words)]
    screens: dict[str, Any] = {
        name: io.TextIOWrapper(raw, "ascii", "strict" if name == "stdout" else "backslashreplace")
        for name, raw in (("stdout", out), ("stderr", err))
    }
    with patch.multiple(sys, stdin=io.TextIOWrapper(io.BytesIO()), argv=argv, **screens):
        code: int | str | None = 0
        try:
            (daemon if program == "failoverd" else operator).main()
        except SystemExit as ending:
            code = ending.code
        for screen in screens.values():
            screen.flush()
    return code, out.getvalue().decode("latin-1"), err.getvalue().decode("latin-1")


if __name__ == "__main__":
    assert sys.getfilesystemencoding() == "ascii", sys.getfilesystemencoding()
    asked = json.loads(sys.stdin.read())
    sys.stdout.write(json.dumps([_run(*words) for words in asked]))
