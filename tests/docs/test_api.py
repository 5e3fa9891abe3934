"""docs/api.md keeps its word: its commands run against the API, its tables name all that there is."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
import yaml
from support.api import ME, House, elsewhere, heard
from support.servers import PLACES

from failoverd.api import bounds, refusing, service
from failoverd.api.routes import ROUTES
from failoverd.config.schema.config_file import ApiEntry

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
SOCKET = "/run/failoverd/api.sock"
CODE = Path(service.__file__).parent


def chapter(title: str) -> str:
    return re.split(rf"\n##+ {title}\n", PAGE)[1].split("\n## ")[0]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


async def run(script: str, folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        "sh", "-eu", "-c", script, cwd=folder, env={"PATH": PLACES}, stdout=-1, stderr=asyncio.subprocess.STDOUT
    )
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, printed.decode()
    return printed.decode()


async def ran(title: str, here: House) -> list[str]:
    """What each example of a chapter prints."""
    return [
        await run(block.replace(SOCKET, str(here.socket)), here.path.parent) for block in blocks("sh", chapter(title))
    ]


async def test_the_commands_at_the_socket_do_what_the_page_says(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        (headline,) = await ran("Where", here)
        given, dry, applied = await ran("What may be asked", here)
        (held,) = await ran("Two operators", here)
        (audit,) = await ran("The audit trail", here)
        assert [word.verb for word in here.desk.words()] == ["hold"]
    assert headline.startswith("new.yaml is not taken up; ")
    for said in (f'"actor": "{ME}"', '"kept": true', f"pause-00000000 everything {ME} provider maintenance"):
        assert said in given
    assert given.endswith("pause-00000000\n")
    drained = 'api.example.com {"azure-eastus":10000} -> {"oci-ashburn":10000}'
    assert dry.splitlines() == [f"{drained} ", "api.example.com {} -> {} it was not read yet"]
    assert applied == "api.example.com applied: applied, generation 8, read back as written\n"
    assert [names for names, _ in here.plans.asked] == [("inference-api",)]
    assert held == "hold-00000001\n"
    assert f"{ME} POST /v1/release 200  pause-00000000" in audit
    assert f"{ME} POST /v1/apply 200  api.example.com: applied" in audit
    assert audit.count("\n") == 5


async def test_a_token_is_made_and_shown_as_the_page_says(tmp_path: Path) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "api.pem")
    made.private_key_pem.write_to_path(tmp_path / "api.key")
    making, asking = blocks("sh", chapter("From other machines"))
    await run(making, tmp_path)
    files = {name: tmp_path / path for name, path in (("certificate_file", "api.pem"), ("key_file", "api.key"))}
    tcp = elsewhere(tokens_file=tmp_path / "tokens", **files)
    async with heard(tmp_path, ApiEntry(tcp=tcp)) as here:
        version = await run(asking.replace("192.0.2.10:8443", f"127.0.0.1:{here.api.port}"), tmp_path)
        assert version.strip() == (await here.client.words()).version


def test_the_examples_of_configuration_load() -> None:
    for block in blocks("yaml", PAGE):
        said = yaml.safe_load(block)["api"]
        for name in said.get("tcp", {}):
            if name.endswith("_file"):
                said["tcp"][name] = Path(said["tcp"][name])
        assert ApiEntry.model_validate(said)


def test_the_table_names_every_route() -> None:
    named = re.findall(r"^\| `(GET|POST) (/v1/[^`]*)` \|", PAGE, re.MULTILINE)
    assert sorted(named) == sorted((route.method, route.path) for route in ROUTES)


def reasons() -> Iterator[tuple[int, str]]:
    for path in CODE.glob("*.py"):
        yield from (
            (int(status), reason)
            for status, reason in re.findall(r'RefusedError\(\s*(\d+),\s*"(\w+)"', path.read_text())
        )
    yield from ((status, reason) for reason, status in refusing._STATUS.items())
    yield 400, "body_invalid"
    yield 503, "still_working"


@pytest.mark.parametrize(("status", "reason"), sorted(set(reasons())))
def test_the_table_names_every_refusal(status: int, reason: str) -> None:
    (row,) = re.findall(rf"^\| (?:\d+, )?{status}(?:, \d+)? \|(.*)$", chapter("What is refused"), re.MULTILINE)
    assert f"`{reason}`" in row


def test_the_page_says_the_bounds_that_there_are() -> None:
    said = " ".join(chapter("What is refused").split())
    assert f"a body {bounds.LARGEST_BODY // 1024} KiB, a question {bounds.ASKING:g} seconds" in said
    assert f"{bounds.MOST_CALLERS} connections in all and {bounds.MOST_OF_PEER} of one user or address" in said
    assert (service._WRITES, service._READS) == ((50.0, 0.5), (60.0, 0.2))
    assert "a command every half second after 50 at once, five questions a second after 60" in said
    assert f"what is to be applied has {bounds.LARGEST_PLAN >> 20} MiB at most" in said
    assert f"What takes longer than {bounds.ANSWERING:g} seconds" in " ".join(PAGE.split())
