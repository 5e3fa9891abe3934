"""Files whose names are no text: in a locale of ASCII alone, or made in one that is not that of the daemon."""

import json
import os
from pathlib import Path

from support.daemons import EMBEDDED, site
from support.plain_terminal import ENVIRONMENT


async def test_a_policy_runs_with_its_journal_and_is_told_of_whatever_the_name_of_its_file_is(tmp_path: Path) -> None:
    folder = tmp_path / "Zürich"
    folder.mkdir()
    async with site(folder, EMBEDDED) as here:
        here.policy.rename(os.fsdecode(os.fsencode(here.policy.parent) + b"/api-\xfc.yaml"))
        async with here.daemon(env=ENVIRONMENT) as daemon:
            await daemon.each("change.verified", "daemon.started")
            code, told = await here.control("status", "--output", "json")
            await daemon.stop()
    assert daemon.named("journal.failed") == []
    assert code == 0
    (policy,) = json.loads(told)["policies"]
    assert policy["file"].endswith(r"\udcfc.yaml")
    assert json.loads(told)["daemon"]["state"] == "running"
    assert "note:" not in told
