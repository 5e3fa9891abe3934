"""All that failoverd said, and left in files, by where: for a look whether a secret is in it (`support.canaries`)."""

import asyncio
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path

from support.commands import answered
from support.daemons import RunningDaemon

from failoverd import codec
from failoverd.store.decisions import DecisionReading


@dataclass
class Sweep:
    """`ca_file` signs for who is asked over TLS."""

    ca_file: Path
    said: dict[str, bytes] = field(default_factory=dict)

    async def control(self, config: Path, *words: str) -> None:
        told = () if words[0] == "schema" else ("--config", str(config))
        ended = await answered(*words, *told)
        assert "Traceback" not in ended.said, ended.said
        self.said[f"failoverctl {' '.join(words)} ({len(self.said)})"] = ended.out + ended.err.encode()

    async def ask(self, url: str, token: str = "") -> None:
        """Whatever is answered, and with which header fields."""
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(url, headers=fields)  # noqa: S310 - the addresses are ours
        self.said[f"{url} {len(self.said)}"] = await asyncio.to_thread(self._asked, request)

    def _asked(self, request: urllib.request.Request) -> bytes:
        trusting = ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with urllib.request.urlopen(request, timeout=20, context=trusting) as answer:  # noqa: S310 - the same
                endless = answer.headers.get_content_type() == "text/event-stream"
                return bytes(answer.headers) + (_first_event(answer) if endless else bytes(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return bytes(error.headers) + error.read()

    def collect(self, daemon: RunningDaemon, folder: Path) -> None:
        """The log, and every file that the daemon wrote in that folder."""
        self.said[f"the log of {daemon.process.pid}"] = bytes(daemon.log)
        for file in folder.glob("journal.db*"):
            self.said[f"{file} ({len(self.said)})"] = file.read_bytes()
        with DecisionReading(folder / "journal.db") as reading:  # they are packed
            kept = [each for at, _ in reading.decided() for each in reading.decisions(at, 0.0, float("inf"), [])]
        self.said[f"decisions ({len(self.said)})"] = b"".join(codec.dump(each).encode() for each in kept)


def _first_event(answer: HTTPResponse) -> bytes:
    """What a stream of events says at once (an event ends with an empty line): it goes on for ever."""
    lines = list[bytes]()
    while lines[-1:] not in ([b""], [b"\n"]):
        lines.append(answer.readline())
    return b"".join(lines)
