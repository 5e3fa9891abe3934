import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.exchanges import Silence
from support.probers import counting_clock, prober
from support.targets import Behaviour, Connection, greets, not_accepting, refusing, serve, silent

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint
from failoverd.probes.findings import Finding
from failoverd.probes.tcp_check import MOST_HEARD, TcpDialogue, TcpSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_connection_that_stands_passes(host: str) -> None:
    async with serve(silent, host=host) as target:
        result = await prober("tcp", target.port, counting_clock(7)).probe(Endpoint("region-1", host))
    assert (result.outcome, result.reason) == (ProbeOutcome.PASS, ProbeReason.OK)
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
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED)


async def test_an_unanswered_connection_request_fails_at_the_deadline() -> None:
    with not_accepting() as target:
        result = await prober("tcp", 1, timeout="100ms").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT)
    assert result.timings.total < 1.0


async def test_a_late_connection_is_degraded() -> None:
    async with serve(silent) as target:
        result = await prober("tcp", 1, slow="0.001ms").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.DEGRADED, ProbeReason.SLOW)
    assert "slow is 1e-06s" in result.detail


@pytest.mark.parametrize("wrong", [0, 65_536, "443", True, 443.0, None])
def test_the_port_is_a_port(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TcpSettings.model_validate({"tcp": wrong})


# -- what is said over it ----------------------------------------------------------------------------------------------


def test_a_dialogue_listens_until_it_heard_what_it_wants() -> None:
    paper, dialogue = Silence(), TcpDialogue(6379, b"PING\r\n", b"+PONG", None)
    assert dialogue.opened(paper) is None
    assert paper.sent == b"PING\r\n"
    assert dialogue.received(b"+PO") is None
    assert dialogue.received(b"NG\r\n") == Finding(ProbeReason.OK, r'it says "+PONG\r\n"')


@given(st.lists(st.binary(min_size=1, max_size=2_000), max_size=12), st.booleans())
def test_a_dialogue_ends_within_its_bound(parts: list[bytes], matched: bool) -> None:
    dialogue = TcpDialogue(1, b"", None if matched else b"wanted", "wan*ted" if matched else None)
    findings = [dialogue.received(part) for part in parts]
    heard = b"".join(parts)[:MOST_HEARD]
    if b"wanted" in heard:
        assert any(found is not None and found.reason is ProbeReason.OK for found in findings)
    elif len(heard) == MOST_HEARD:
        assert findings[-1] is not None
        assert findings[-1].reason is ProbeReason.ANSWER_MISMATCH


@pytest.mark.parametrize("wanted", [{"expect": "+PONG\r\n"}, {"matches": r"^\+P[A-Z]+\r\n"}])
async def test_the_right_answer_passes(wanted: dict[str, str]) -> None:
    async with serve(says_after(b"PING\r\n", b"+PO", b"NG\r\n")) as target:
        result = await prober("tcp", 1, send="PING\r\n", **wanted).probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.PASS, ProbeReason.OK)
    assert result.detail == r'it says "+PONG\r\n"'
    assert result.timings.first_byte is not None


async def test_a_banner_is_an_answer_to_nothing() -> None:
    async with serve(greets(b"SSH-2.0-x\r\n")) as target:
        assert (await prober("tcp", 1, expect="SSH-2").probe(target.endpoint)).reason is ProbeReason.OK


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((b"-ERR\r\n",), ProbeReason.ANSWER_MISMATCH),
        ((b"x" * MOST_HEARD + b"+PONG",), ProbeReason.ANSWER_MISMATCH),
        ((), ProbeReason.RESPONSE_CLOSED),
    ],
)
async def test_a_wrong_answer_fails(parts: tuple[bytes, ...], reason: ProbeReason) -> None:
    async with serve(says_after(b"PING\r\n", *parts)) as target:
        result = await prober("tcp", 1, send="PING\r\n", expect="+PONG").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, reason)


async def test_no_answer_fails_at_the_deadline() -> None:
    async with serve(silent) as target:
        result = await prober("tcp", 1, expect="+PONG", timeout="100ms").probe(target.endpoint)
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESPONSE_TIMEOUT)


async def test_without_an_expectation_it_is_enough_to_be_heard() -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listens(connection: Connection) -> None:
        heard.put_nowait(await connection.reader.read(100))

    async with serve(listens) as target:
        result = await prober("tcp", 1, send="hello").probe(target.endpoint)
        async with asyncio.timeout(5):
            assert await heard.get() == b"hello"
    assert result.reason is ProbeReason.OK


def says_after(request: bytes, *parts: bytes) -> Behaviour:
    async def behave(connection: Connection) -> None:
        await connection.reader.readexactly(len(request))
        await connection.send(*parts)

    return behave


@pytest.mark.parametrize(
    "wrong", [{"send": ""}, {"expect": ""}, {"matches": "("}, {"expect": "a", "matches": "b"}, {"send": "x" * 4_097}]
)
def test_what_is_said_makes_sense(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        TcpSettings.model_validate({"tcp": 1, **wrong})
