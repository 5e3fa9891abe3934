"""Makes the manual and the completion scripts, of what the programs say of themselves.

    packages/render.py          writes them into share/, from where wheel and .deb take them (`make manual`)
    packages/render.py FOLDER   writes them there

They are kept beside the code, as the schemas are: a wheel is built without anything that would have to be installed
first, and a review shows what users will see.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.pop("FAILOVERD_CONFIG", None)  # it would be told as everybody's default

from packages.command_tree import tree  # noqa: E402 - a script finds its neighbours only after the line above
from packages.completion import scripts  # noqa: E402 - the same
from packages.manual import pages  # noqa: E402 - the same


def rendered() -> dict[str, str]:
    """Every file by its place below `share`."""
    daemon, operator = tree("failoverd"), tree("failoverctl")
    manual = {f"man/{place}": text for place, text in pages(daemon, operator).items()}
    return {**manual, **scripts(daemon), **scripts(operator)}


def write(folder: Path) -> None:
    """Write all of it, in the place of whatever was there."""
    shutil.rmtree(folder, ignore_errors=True)
    for place, text in rendered().items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "share")
