"""What holds for every kind of check: names, deadlines, cancellation, and the line between FAIL and BLIND.

Answers of the resolver, and errors that only a router on the way could send, are faked where the system is called; all
else is real.
"""

import asyncio
import errno
import os
import resource
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from support.probers import prober
from support.targets import OK, answers, not_accepting, refusing, serve, silent

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint
from failoverd.probes.transport.reactor import reactor

NAME = "web.example.test"
SHORT = "150ms"

Resolve = Callable[[str], list[str]]


@pytest_asyncio.fixture
async def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Resolve], None]:
    """Puts a fake in the place of the C library's resolver, which is asked in a thread."""

    def put(fake: Resolve) -> None:
        def getaddrinfo(host: str, port: object, **_: object) -> list[tuple[object, ...]]:
            assert port is None
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in fake(host)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return put


def resolves_to(*addresses: str) -> Resolve:
    def resolve(host: str) -> list[str]:
        assert host == NAME
        return list(addresses)

    return resolve


def fails_with(error: Exception) -> Resolve:
    def resolve(_: str) -> list[str]:
        raise error

    return resolve


@pytest.fixture
def never() -> Iterator[Resolve]:
    """A resolver that hangs until the test is over."""
    over = threading.Event()

    def resolve(_: str) -> list[str]:
        over.wait(60)
        return []

    yield resolve
    over.set()


# -- names -------------------------------------------------------------------------------------------------------------


async def test_a_host_name_is_resolved_and_that_is_timed() -> None:
    async with serve(answers(OK)) as target:
        result = await prober("http", "/").probe(Endpoint("region-1", "localhost", target.port))
    assert result.reason is ProbeReason.OK
    assert result.timings.resolve is not None
    assert result.timings.connect is not None
    assert f"Host: localhost:{target.port}\r\n" in target.requests[0]


async def test_the_next_address_of_a_name_is_tried_when_the_first_refuses(resolver: Callable[[Resolve], None]) -> None:
    resolver(resolves_to("127.0.0.2", "127.0.0.1"))
    async with serve(answers(OK)) as target:
        result = await prober("http", "/").probe(Endpoint("region-1", NAME, target.port))
    assert (result.reason, target.connections) == (ProbeReason.OK, 1)


async def test_the_next_address_of_a_name_is_tried_when_the_first_is_silent(
    resolver: Callable[[Resolve], None],
) -> None:
    resolver(resolves_to("127.0.0.1", "127.0.0.2"))
    with not_accepting() as target:
        async with serve(answers(OK), host="127.0.0.2", port=target.port):
            result = await prober("http", "/", timeout="1500ms").probe(Endpoint("region-1", NAME, target.port))
    assert result.reason is ProbeReason.OK
    assert result.timings.total > 0.74


async def test_when_no_address_of_a_name_answers_the_first_reason_is_given(resolver: Callable[[Resolve], None]) -> None:
    resolver(resolves_to("127.0.0.1", "127.0.0.2"))
    with refusing() as target:
        result = await prober("tcp", 1).probe(Endpoint("region-1", NAME, target.port))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED)
    assert result.detail == "127.0.0.1: Connection refused"


async def test_an_address_that_we_have_no_route_to_does_not_hide_one_that_refuses(
    resolver: Callable[[Resolve], None],
) -> None:
    resolver(resolves_to("255.255.255.255", "127.0.0.1"))
    with refusing() as target:
        result = await prober("tcp", 1).probe(Endpoint("region-1", NAME, target.port))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED)


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            ProbeOutcome.FAIL,
            ProbeReason.RESOLVE_FAILED,
        ),
        (socket.gaierror(socket.EAI_NODATA, "No address"), ProbeOutcome.FAIL, ProbeReason.RESOLVE_FAILED),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), ProbeOutcome.BLIND, ProbeReason.RESOLVER_FAILED),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), ProbeOutcome.BLIND, ProbeReason.RESOLVER_FAILED),
        (OSError(errno.EMFILE, "Too many open files"), ProbeOutcome.BLIND, ProbeReason.NO_DESCRIPTORS),
        (OSError(errno.EIO, "I/O error"), ProbeOutcome.BLIND, ProbeReason.RESOLVER_FAILED),
        (RuntimeError("defect"), ProbeOutcome.BLIND, ProbeReason.PROBER_ERROR),
    ],
)
async def test_a_name_without_address_fails_but_a_resolver_without_answer_blinds(
    resolver: Callable[[Resolve], None], error: Exception, outcome: ProbeOutcome, reason: ProbeReason
) -> None:
    resolver(fails_with(error))
    result = await prober("tcp", 443).probe(Endpoint("region-1", NAME))
    assert (result.outcome, result.reason) == (outcome, reason)
    assert result.timings.resolve is None


async def test_a_name_that_no_dns_could_hold_fails() -> None:
    result = await prober("tcp", 443).probe(Endpoint("region-1", "a" * 64 + ".example.test"))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESOLVE_FAILED)


async def test_a_name_with_an_empty_answer_fails(resolver: Callable[[Resolve], None]) -> None:
    resolver(resolves_to())
    result = await prober("tcp", 443).probe(Endpoint("region-1", NAME))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.RESOLVE_FAILED)


async def test_a_resolver_that_never_answers_blinds_at_the_deadline(
    resolver: Callable[[Resolve], None], never: Resolve
) -> None:
    resolver(never)
    result = await prober("tcp", 443, timeout=SHORT).probe(Endpoint("region-1", NAME))
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.RESOLVER_FAILED)
    assert result.detail == "our resolver has not answered after 0.15s"


async def test_one_deadline_covers_all_phases_together(resolver: Callable[[Resolve], None]) -> None:
    def takes_most_of_it(_: str) -> list[str]:
        threading.Event().wait(0.6)
        return ["127.0.0.1"]

    resolver(takes_most_of_it)
    async with serve(silent) as target:
        result = await prober("http", "/", timeout="1s").probe(Endpoint("region-1", NAME, target.port))
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.RESOLVER_FAILED)
    assert result.detail.startswith("our resolver took 0.")  # too little was left to blame the endpoint
    assert 0.99 < result.timings.total < 1.6


# -- is it the endpoint, or is it us? ----------------------------------------------------------------------------------


async def test_a_host_without_a_route_is_blind() -> None:
    """Linux refuses the limited broadcast address on the spot, as it refuses any address that it has no route to."""
    result = await prober("tcp", 443).probe(Endpoint("region-1", "255.255.255.255"))
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.NO_ROUTE)
    assert result.detail == "Network is unreachable"


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES])
async def test_a_router_that_says_unreachable_is_believed(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect_ex", lambda *_: code)
    result = await prober("tcp", 443).probe(Endpoint("region-1", "127.0.0.1"))
    assert (result.outcome, result.reason) == (ProbeOutcome.FAIL, ProbeReason.CONNECT_UNREACHABLE)


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "no-such-name.invalid"])
async def test_a_prober_without_descriptors_is_blind_even_to_whether_a_name_exists(host: str) -> None:
    async with serve(answers(OK)) as target:
        await asyncio.get_running_loop().getaddrinfo("localhost", None)  # whatever this loads lazily is loaded
        live = prober("http", "/")
        with no_descriptor_left():
            result = await live.probe(Endpoint("region-1", host, target.port))
        assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.NO_DESCRIPTORS)
        assert (await live.probe(target.endpoint)).reason is ProbeReason.OK


async def test_a_defect_of_ours_is_blind_and_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise KeyError("surprise")

    monkeypatch.setattr(socket.socket, "connect_ex", broken)
    result = await prober("http", "/").probe(Endpoint("region-1", "127.0.0.1"))
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.PROBER_ERROR)
    assert result.detail == "KeyError: 'surprise'"


@pytest.mark.usefixtures("stalls_are_noticed")
async def test_a_time_out_that_this_process_slept_through_is_not_held_against_the_endpoint() -> None:
    async with serve(silent) as target:
        probing = asyncio.create_task(prober("http", "/", timeout="400ms").probe(target.endpoint))
        while not target.connections:
            await turns(1)
        threading.Event().wait(0.65)  # what a stopped or starved process does
        result = await probing
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.PROBER_ERROR)
    assert result.detail.startswith("this process stalled: 0.4s became ")


@pytest.mark.usefixtures("stalls_are_noticed")
async def test_an_answer_that_lies_there_counts_also_in_a_probe_of_several_steps() -> None:
    """This process was late, and the server, which is a thread of its own, was not."""
    asked, answered = threading.Event(), threading.Event()

    def answer(listening: socket.socket) -> None:
        guest, _ = listening.accept()
        with guest:
            guest.recv(4_096)
            asked.set()
            guest.sendall(OK)
            answered.set()
            guest.recv(4_096)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=answer, args=(listening,))
        server.start()
        there = Endpoint("region-1", "127.0.0.1", listening.getsockname()[1])
        probing = asyncio.create_task(prober("http", "/", timeout="400ms", redirects=1).probe(there))
        while not asked.is_set():
            await turns(1)
            if asked.wait(0.001):
                break
        answered.wait(5.0)
        threading.Event().wait(0.45)  # the deadline passes, and nobody has looked
        result = await probing
        server.join()
    assert result.reason is ProbeReason.OK


# -- cancellation ------------------------------------------------------------------------------------------------------


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest_asyncio.fixture
async def descriptors_before() -> int:
    """How many descriptors are open once the event loop has what it opens for its first server and keeps."""
    async with serve(silent):
        pass
    reactor(asyncio.get_running_loop())
    await turns(5)
    return descriptors()


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def descriptors_settle_at(expected: int) -> None:
    async with asyncio.timeout(5):
        while descriptors() > expected:
            await turns(1)


@asynccontextmanager
async def unanswering(kind: str) -> AsyncIterator[int]:
    """A port on which a probe stays in one phase."""
    if kind == "connecting":
        with not_accepting() as target:
            yield target.port
        return
    async with serve(silent) as target:
        yield target.port


@pytest.mark.parametrize(
    ("phase", "kind", "host"),
    [
        ("resolving", "http", NAME),
        ("connecting", "http", "127.0.0.1"),
        ("handshake", "https", "127.0.0.1"),
        ("answer", "http", "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("later", [0, 1, 2, 3, 5, 8, 50])
async def test_a_cancelled_probe_lets_go_of_everything(
    phase: str,
    kind: str,
    host: str,
    later: int,
    resolver: Callable[[Resolve], None],
    never: Resolve,
    descriptors_before: int,
) -> None:
    resolver(never)
    live = prober(kind, "/")
    async with unanswering(phase) as port:
        probing = [asyncio.create_task(live.probe(Endpoint("region-1", host, port))) for _ in range(25)]
        await turns(later)
        for task in probing:
            task.cancel()
        ended = await asyncio.gather(*probing, return_exceptions=True)
    assert [type(end) for end in ended] == [asyncio.CancelledError] * 25
    await descriptors_settle_at(descriptors_before)


async def test_probes_that_end_by_themselves_let_go_of_everything(descriptors_before: int) -> None:
    live, hasty = prober("http", "/", timeout="20s"), prober("http", "/", timeout="500ms")
    async with serve(answers(OK)) as good, serve(silent) as bad:
        with refusing() as gone:
            probing = [(live, good), (hasty, bad), (live, gone)] * 20
            results = await asyncio.gather(*(each.probe(target.endpoint) for each, target in probing))
    assert {result.reason for result in results} == {
        ProbeReason.OK,
        ProbeReason.RESPONSE_TIMEOUT,
        ProbeReason.CONNECT_REFUSED,
    }
    await descriptors_settle_at(descriptors_before)
