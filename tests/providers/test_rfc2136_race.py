"""Two writers of one record on each real server."""

import asyncio
from functools import partial

import pytest
from support.contract import open_rfc2136, rfc2136_settings
from support.races import ROUNDS, races

NAMES = 5
"""At once: a Knot that writes waits for its disk, and takes in what else has come meanwhile."""


@pytest.mark.parametrize("server", ["bind_server", "knot_server", "powerdns_server"])
async def test_in_a_thousand_races_one_writer_wins_and_no_older_generation_ever_does(
    server: str, name: str, request: pytest.FixtureRequest
) -> None:
    opened = partial(open_rfc2136, rfc2136_settings(request.getfixturevalue(server)))
    async with asyncio.TaskGroup() as everywhere:
        for number in range(NAMES):
            everywhere.create_task(races(opened, f"{number}{name}", rounds=ROUNDS // NAMES))
