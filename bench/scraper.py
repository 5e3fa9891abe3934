"""Asks blackbox_exporter to probe: `python -m bench.scraper EXPORTER-PORT SCHEME PORT COUNT SECONDS`.

The exporter does nothing by itself. So that it probes COUNT endpoints once every SECONDS, evenly paced, this asks for
one after the other over connections that are kept, as Prometheus does.
"""

import asyncio
import sys
from contextlib import suppress

from bench.endpoints import addresses
from bench.nginx import PATH

_WORKERS = 32
_START_WITHIN = 10.0


async def scrape(exporter: int, targets: list[str], every: float) -> None:
    """Ask for all targets, endlessly, on a fixed number of connections. An exporter that is too slow is asked less."""
    async with asyncio.TaskGroup() as group:
        for number in range(_WORKERS):
            own = targets[number::_WORKERS]
            group.create_task(_work(exporter, own, every, number / _WORKERS * every / max(len(own), 1)))


async def _work(exporter: int, targets: list[str], every: float, phase: float) -> None:
    loop = asyncio.get_running_loop()
    reader, writer = await _connect(exporter)
    due = loop.time() + phase
    while targets:
        for target in targets:
            await asyncio.sleep(max(0.0, due - loop.time()))
            due = max(due + every / len(targets), loop.time() - every)
            request = f"GET /probe?module=probe&target={target} HTTP/1.1\r\nHost: 127.0.0.1:{exporter}\r\n\r\n"
            writer.write(request.encode())
            await _answer(reader)


async def _connect(exporter: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Wait for the exporter, too: it starts at the same time."""
    async with asyncio.timeout(_START_WITHIN):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", exporter)
            except ConnectionRefusedError:
                await asyncio.sleep(0.1)


async def _answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    if not head.startswith("http/1.1 200"):
        raise RuntimeError(f"the exporter answers {head[:200]!r}")
    if "transfer-encoding: chunked" in head:
        await reader.readuntil(b"\r\n0\r\n\r\n")
        return
    _, _, rest = head.partition("content-length:")
    await reader.readexactly(int(rest.split()[0]))


def main() -> None:
    exporter, scheme, port, count, every = sys.argv[1:]
    targets = [f"{scheme}://{address}:{port}{PATH}" for address in addresses(int(count))]
    with suppress(KeyboardInterrupt):
        asyncio.run(scrape(int(exporter), targets, float(every)))


if __name__ == "__main__":
    main()
