import asyncio

import pytest
from pydantic import ValidationError
from support.probers import counting_clock, prober
from support.targets import Connection, not_accepting, refusing, serve, silent

from failoverd.core.records import Endpoint, Outcome, ProbeReason
from failoverd.probes.tcp import TcpSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_connection_that_stands_passes(host: str) -> None:
    async with serve(silent, host=host) as target:
        result = await prober("tcp", target.port, counting_clock(7)).probe(Endpoint("region-1", host))
    assert (result.outcome, result.reason) == (Outcome.PASS, ProbeReason.OK)
    assert result.detail == f"connected to port {target.port}"
    assert result.at == 7.0
    assert result.timings.connect is not None
    assert result.timings.connect <= result.timings.total
    assert (result.timings.resolve, result.timings.tls, result.timings.first_byte) == (None, None, None)


async def test_nothing_is_sent_and_the_connection_is_closed_again() -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listens(connection: Connection) -> None:
        try:
            heard.put_nowait(await connection.reader.read())
        except ConnectionError:
            heard.put_nowait(b"")

    async with serve(listens) as target:
        await prober("tcp", target.port).probe(Endpoint("region-1", "127.0.0.1"))
        async with asyncio.timeout(5):
            assert await heard.get() == b""


async def test_the_port_of_the_endpoint_comes_first() -> None:
    async with serve(silent) as target:
        result = await prober("tcp", 1).probe(target.endpoint)
    assert result.reason is ProbeReason.OK


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_refused_connection_fails(host: str) -> None:
    with refusing(host) as target:
        result = await prober("tcp", target.port).probe(target.endpoint)
    assert (result.outcome, result.reason) == (Outcome.FAIL, ProbeReason.CONNECT_REFUSED)


async def test_an_unanswered_connection_request_fails_at_the_deadline() -> None:
    with not_accepting() as target:
        result = await prober("tcp", 1, timeout="100ms").probe(target.endpoint)
    assert (result.outcome, result.reason) == (Outcome.FAIL, ProbeReason.CONNECT_TIMEOUT)
    assert result.timings.total < 1.0


async def test_a_late_connection_is_degraded() -> None:
    async with serve(silent) as target:
        result = await prober("tcp", 1, slow="0.001ms").probe(target.endpoint)
    assert (result.outcome, result.reason) == (Outcome.DEGRADED, ProbeReason.SLOW)
    assert "slow is 1e-06s" in result.detail


@pytest.mark.parametrize("wrong", [0, 65_536, "443", True, 443.0, None])
def test_the_port_is_a_port(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TcpSettings.model_validate({"tcp": wrong})
