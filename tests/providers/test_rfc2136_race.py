"""Two writers of one record on each real server."""

from functools import partial

import pytest
from support.contract import open_rfc2136, rfc2136_settings
from support.races import races_at_once


@pytest.mark.parametrize("server", ["bind_server", "knot_server", "powerdns_server"])
async def test_in_many_races_one_writer_wins_and_no_older_generation_ever_does(
    server: str, name: str, request: pytest.FixtureRequest
) -> None:
    opened = partial(open_rfc2136, rfc2136_settings(request.getfixturevalue(server)))
    await races_at_once(opened, name)
