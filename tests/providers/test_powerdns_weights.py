"""Whether a real PowerDNS answers as often with each value as its weight says."""

import math
import socket
from collections import Counter

import dns.message
import pytest
from support.contract import VALUES, approved, planned, target
from support.fuzzing import SOAK
from support.powerdns import dns_update, http_api, open_powerdns
from support.servers import PowerDns

from failoverd.core.records import RecordSet, RecordType

SIGNIFICANCE = 1e-6
"""A correct server fails one run in a million; one that is off by fifteen in a hundred fails practically every one."""

MANY = 10_000 if SOAK > 1 else 4_000
"""Answers, which cost more than all else here. So few would still be unlike those of other weights."""

SHARES = (5_500, 3_000, 1_400, 100)
A, AAAA, CNAME = RecordType.A, RecordType.AAAA, RecordType.CNAME
FOURTH = {A: "203.0.113.99", AAAA: "2001:db8:3::1", CNAME: "south.example.net"}


def p_value(observed: list[int], shares: tuple[int, ...]) -> float:
    """The chance of counts as far from four shares as these: the upper tail of chi-squared with three degrees."""
    expected = [sum(observed) * share / sum(shares) for share in shares]
    x = sum((count - wanted) ** 2 / wanted for count, wanted in zip(observed, expected, strict=True))
    return math.erfc(math.sqrt(x / 2)) + math.sqrt(2 * x / math.pi) * math.exp(-x / 2)


def ask(server: PowerDns, name: str, kind: RecordType, times: int) -> Counter[str]:
    """What a client is answered, over one UDP socket, a few dozen questions in flight at a time."""
    counted: Counter[str] = Counter()
    question = dns.message.make_query(name, kind.value, use_edns=False).to_wire()[2:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((server.address, server.port))
        for start in range(0, times, 40):
            waiting = {number.to_bytes(2, "big") for number in range(start, min(start + 40, times))}
            for number in waiting:
                sock.send(number + question)
            while waiting:
                answer = sock.recv(512)
                waiting.remove(answer[:2])
                ((only,),) = dns.message.from_wire(answer).answer
                counted[only.to_text().removesuffix(".")] += 1
    return counted


@pytest.mark.parametrize(("asked", "kind"), [(MANY, A), (2_000, AAAA), (2_000, CNAME)])
async def test_thousands_of_answers_agree_with_the_weights(
    powerdns_server: PowerDns, name: str, asked: int, kind: RecordType
) -> None:
    at, values = target(name, kind), (*VALUES[kind], FOURTH[kind])
    configured = http_api if kind is AAAA else dns_update
    async with open_powerdns(configured(powerdns_server)) as provider:
        desired = provider.normalise(RecordSet.of(at.key, 30, dict(zip(values, SHARES, strict=True))))
        await provider.apply(approved(planned(await provider.read(at), desired)))

    counted = ask(powerdns_server, name, kind, asked)
    assert set(counted) == set(values)
    counts = [counted[value] for value in values]
    assert sum(counts) == asked
    assert p_value(counts, SHARES) > SIGNIFICANCE
    assert p_value(counts, (4_000, 4_500, 1_400, 100)) < SIGNIFICANCE, "other weights would have been noticed"


def test_the_statistic_tells_right_from_wrong() -> None:
    assert p_value([5_500, 3_000, 1_400, 100], SHARES) == pytest.approx(1.0)
    assert p_value([5_300, 3_200, 1_400, 100], SHARES) == pytest.approx(1.27e-4, rel=0.01)
    assert p_value([2_500, 2_500, 2_500, 2_500], SHARES) < SIGNIFICANCE
