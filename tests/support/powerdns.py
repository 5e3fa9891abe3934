"""PowerDNS as its provider is configured for it, and an API whose connections break."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from support.accepting import LOOPBACK, accepting
from support.proxies import Cut
from support.servers import ZONE, PowerDns

from failoverd.ports import Access, Provider
from failoverd.providers import powerdns


def dns_update(server: PowerDns, *, port: int | None = None, **more: Any) -> powerdns.PowerdnsSettings:  # noqa: ANN401 - whatever a file says
    """Settings that write by RFC 2136."""
    key = {"name": server.key.name, "secret_file": str(server.key.bind_file)}
    return _settings({"server": f"127.0.0.1:{port or server.port}", "key": key} | more)


def http_api(server: PowerDns, *, port: int | None = None, **more: Any) -> powerdns.PowerdnsSettings:  # noqa: ANN401 - whatever a file says
    """Settings that write through the HTTP API; `more` is about the API."""
    api = {"url": f"http://127.0.0.1:{port or server.api_port}", "key_file": str(server.api_key_file)}
    return _settings({"api": api | more})


def by_both(server: PowerDns, *, port: int | None = None) -> powerdns.PowerdnsSettings:
    """Settings that read through the API and write by RFC 2136, the latter at `port`."""
    api = {"url": f"http://127.0.0.1:{server.api_port}", "key_file": str(server.api_key_file)}
    return dns_update(server, port=port, api=api)


def open_powerdns(
    settings: powerdns.PowerdnsSettings, access: Access = Access.WRITE
) -> AbstractAsyncContextManager[Provider]:
    return powerdns.KIND.open("dns-main", settings, access)


@asynccontextmanager
async def patches_cut(port: int, cut: Cut) -> AsyncIterator[int]:
    """A proxy to the API on `port` that lets everything pass but a PATCH, which breaks off at `cut`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await http_request(reader)
        patches = request.startswith(b"PATCH")
        if patches and cut is Cut.BEFORE_EFFECT:
            return
        answer = await forward_http(request, port)
        if patches:
            answer = b"" if cut is Cut.AFTER_EFFECT else answer[: len(answer) // 2]
        writer.write(answer)
        await writer.drain()

    async with accepting(handle) as own:
        yield own


async def http_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(sizes[0]) if sizes else 0)


async def forward_http(request: bytes, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def _settings(said: dict[str, Any]) -> powerdns.PowerdnsSettings:
    return powerdns.PowerdnsSettings.model_validate({"kind": "powerdns", "zones": [ZONE], "timeout": "5s"} | said)
