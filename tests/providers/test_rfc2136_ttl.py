"""A real BIND that lowers TTLs: what comes of a write that is taken, and does not stand there as it was written."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import servers
from support.contract import VALUES, approved, open_rfc2136, planned, rfc2136_settings, target, wish
from support.servers import ZONE, DnsServer, Key

from failoverd.core.records import RecordType

EAST, WEST, _ = VALUES[RecordType.A]
MOST = 60


@pytest.fixture
def capped() -> Iterator[DnsServer]:
    """Its zone is signed by a policy with a `max-zone-ttl`."""

    def configured(directory: Path, port: int, key: Key) -> list[str]:
        command = servers._bind_configuration(directory, port, key)
        file = Path(command[-1])
        keys = "keys { csk lifetime unlimited algorithm ecdsap256sha256; };"
        policy = f'dnssec-policy "capped" {{ {keys} max-zone-ttl {MOST}; }};\n'
        zone = f'zone "{ZONE}" {{ type primary;'
        signed = f'{zone} dnssec-policy "capped"; inline-signing no; key-directory "{directory}";'
        file.write_text(file.read_text().replace(zone, policy + signed))
        return command

    with servers._running("BIND", "named", configured) as running:
        yield running


async def test_a_ttl_that_bind_lowers_is_told_and_is_no_drift_for_ever(capped: DnsServer) -> None:
    at = target(f"ttl.{ZONE}")
    async with open_rfc2136(rfc2136_settings(capped)) as provider:
        wanted = replace(wish(provider, at, EAST), ttl=300)
        plan = planned(await provider.read(at), wanted)
        await provider.apply(approved(plan))
        found = await provider.read(at)
    assert found.records == replace(plan.after, ttl=MOST)
    assert not plan.stands_in(found)
    assert f"its TTL is {MOST}s instead of 300s" in plan.missed_in(found)
