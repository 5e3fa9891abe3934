"""The clock of a machine, which a test sets, before a process runs there or while it does.

    clock = MachineClock(tmp_path / "clock")
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **clock.environment})
    clock.set(3_600.0)

It is as when somebody sets a clock by hand: what is steady goes on (CLOCK_MONOTONIC, CLOCK_BOOTTIME), and files keep
the times that they have. libfaketime is what a process then asks instead of the kernel.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LIBRARY: Final = Path(f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketimeMT.so.1")
"""Where Debian has it; so does `tests/install-servers`."""


@dataclass(frozen=True)
class MachineClock:
    """One machine's; `file` says how far it is off."""

    file: Path

    def __post_init__(self) -> None:
        assert _LIBRARY.exists(), f"{_LIBRARY} is missing: tests/install-servers brings it"
        self.set(0.0)

    def set(self, off: float) -> None:
        """So many seconds ahead of what it should be, from now on."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{off:+g}\n")
        new.replace(self.file)

    @property
    def environment(self) -> Mapping[str, str]:
        """Of a process that is executed there."""
        return {
            "LD_PRELOAD": str(_LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds: to read it at each look at the clock takes the time of a daemon
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
