"""Two writers of one record on each real server."""

import asyncio
from functools import partial

from support.contract import open_rfc2136, rfc2136_settings
from support.races import races
from support.servers import DnsServer, PowerDns


async def test_in_a_thousand_races_one_writer_wins_and_no_older_generation_ever_does(
    bind_server: DnsServer, knot_server: DnsServer, powerdns_server: PowerDns, name: str
) -> None:
    """All servers at once, for Knot mostly waits."""
    async with asyncio.TaskGroup() as everywhere:
        for server in (bind_server, knot_server, powerdns_server):
            everywhere.create_task(races(partial(open_rfc2136, rfc2136_settings(server)), name))
