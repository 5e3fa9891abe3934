"""Where the SDK of a cloud is not installed, everything says which one, and how it is got; nothing says No module."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.commands import CONFIG, written
from support.daemons import followed

pytestmark = pytest.mark.server

NEEDED = "needs boto3, which is not installed"
REMEDY = "pip install 'failoverd[aws]' (Debian: apt install failoverd-aws; container image: built with EXTRAS=aws)"

WITHOUT_BOTO3 = """\
import sys

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"boto3", "botocore"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Without())
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(
        tmp_path / "site", config=CONFIG.replace("embedded", "route53").replace(', listen: "127.0.0.1:9"', "")
    )


@pytest.fixture
def poorer(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a Python that lacks the AWS SDK."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_BOTO3)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


@pytest.mark.parametrize("verb", ["plan", "check"])
async def test_what_an_operator_asks_names_it(verb: str, config: Path, poorer: Mapping[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "failoverd.cli.operator", verb, "--config", str(config)),
        env=poorer,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    said = printed.decode()
    assert process.returncode == 1
    assert (NEEDED if verb == "plan" else "needs boto3 and botocore, which are not installed") in said
    assert REMEDY in said
    assert "No module named" not in said


async def test_the_daemon_names_it_and_runs_on(config: Path, poorer: Mapping[str, str]) -> None:
    command = (sys.executable, "-m", "failoverd", "run", "--config", str(config))
    process = await asyncio.create_subprocess_exec(*command, env=poorer, stderr=asyncio.subprocess.PIPE)
    async with followed(process) as daemon:
        told = await daemon.event("target.delayed")
        assert NEEDED in told["message"]
        assert REMEDY in told["message"]
        assert await daemon.stop() == 0
    assert b"No module named" not in daemon.log
