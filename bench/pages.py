"""`docs/performance.md` is written by several benchmarks. Each replaces its own part and keeps the others'."""

import re
from pathlib import Path

ORDER = (
    "bench/failover.py",
    "bench/providers.py",
    "bench/probes.py",
    "bench/scale.py",
    "bench/estate.py",
    "bench/pausing.py",
    "bench/detection.py",
    "bench/members.py",
    "bench/page.py",
    "bench/decide.py",
    "bench/day.py",
)
"""Who writes a part, in the order of the page. The first one brings the title."""

_MARK = re.compile(r"^<!-- written by (\S+) -->\n", re.MULTILINE)


def replace(page: Path, author: str, part: str) -> None:
    """Put this part in place of what its author wrote before; a page that is not there yet is made."""
    text = page.read_text() if page.exists() else ""
    page.write_text(replaced(text, author, part))


def replaced(text: str, author: str, part: str) -> str:
    """The page with a new part of this author. What stands before every mark belongs to the first author."""
    parts = {**_parts(text), author: part}
    return "\n".join(f"<!-- written by {each} -->\n{parts[each].strip()}\n" for each in ORDER if each in parts)


def _parts(text: str) -> dict[str, str]:
    before, *marked = _MARK.split(text)
    parts = dict(zip(marked[::2], marked[1::2], strict=True))
    unknown = sorted(set(parts) - set(ORDER))
    if unknown:
        raise ValueError(f"the page has parts of {', '.join(unknown)}, which nobody writes")
    return parts if not before.strip() else {ORDER[0]: before, **parts}
