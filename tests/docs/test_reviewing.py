"""docs/reviewing.md keeps its word: each of its commands is run, with a daemon and without one, and writes nothing."""

import re
import shlex
from collections.abc import Awaitable, Callable
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pytest
from support.commands import failoverctl
from support.daemons import EAST, NAME, WEST, provider_block, site
from support.repositories import git
from support.servers import DnsServer
from support.sessions import Desk
from support.virtual import virtually

from failoverd.api.planned import finding_told
from failoverd.cli.telling_comparisons import AlarmTold, ReviewTold, SettingTold, ShareTold, StandsTold
from failoverd.cli.what_if import tell
from failoverd.config.loader import load_paths
from failoverd.installed import kinds
from failoverd.operations.planning import apply_plans, make_plans
from failoverd.operations.policy_changes import AlarmKind
from failoverd.operations.session import Session
from failoverd.operations.supposing import Supposition, plans_if

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reviewing.md").read_text()

HERE = {"inference-api": "api", "azure-eastus": "west"}
"""What the names of the page are called here."""


def commands(verb: str) -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    said = [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]
    return [words for words in said if words[0] == verb]


def test_every_option_that_supposes_something_is_on_the_page() -> None:
    options = {word for words in commands("plan") for word in words if word.startswith("--")}
    assert options == {"--if-down", "--if-cloud-down", "--drain", "--policy", "--against"}


async def test_each_command_says_what_would_be_done_and_does_nothing(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        inventory = tmp_path / "policies" / "regions.yaml"
        inventory.write_text("version: 1\nregions:\n  west: {cloud: azure}\n  east: {cloud: oci}\n")
        (tmp_path / "api.yaml").write_text(here.policy.read_text().replace("ttl: 5s", "ttl: 7s"))
        git(tmp_path, "init", "-q", "-b", "main")
        for subject in ("first", "second"):
            git(tmp_path, "add", "policies")
            git(tmp_path, "commit", "-q", "--allow-empty", "-m", subject)
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            codes = await codes_of(here.control, tmp_path)
            serial = bind_server.dig(NAME, "A")
        without = await codes_of(here.control, tmp_path)
        assert serial == bind_server.dig(NAME, "A") == sorted([WEST, EAST])
        differ = [words for words in codes if codes[words] != without[words]]
        assert not differ, [(words, codes[words], without[words]) for words in differ]
        same = {words for words, code in codes.items() if code == 0}
        assert same == {"--against git:main", "--against git:HEAD~1 --if-down west"}, codes
        assert set(codes.values()) <= {0, 10, 11}, codes


async def codes_of(control: Callable[..., Awaitable[tuple[int, str]]], folder: Path) -> dict[str, int]:
    """How each command ended, by its words."""
    found = {}
    for words in commands("plan"):
        local = [HERE.get(word, word) for word in words]
        code, printed = await control(*(str(folder / word) if word == "api.yaml" else word for word in local))
        found[" ".join(word for word in local if word != "plan")] = code
        assert "Traceback" not in printed
        assert len(printed.splitlines()) <= 12 + 2, (words, printed)  # and who was asked, or what a daemon has loaded
    return found


@virtually
async def test_the_example_is_what_is_printed_for_the_shipped_policy() -> None:
    """All is well and published; then it is asked for."""
    (name, policy), *_ = load_paths([ROOT / "policies" / "inference-api.yaml"], kinds()).policies.items()
    desk = Desk(policy)

    def session() -> Session:
        return replace(desk.session(), providers={target.provider: desk.dns for target in policy.targets})

    await apply_plans(
        session(), [each.change for each in await make_plans(session(), [policy], frozenset()) if each.change]
    )
    said = Supposition(down=frozenset({"azure-eastus"}))
    found = await plans_if(session(), said, [policy], frozenset())
    printed = tell("if azure-eastus down", list(map(finding_told, found)), every=False)
    assert (name, printed) == ("inference-api", re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)[0].splitlines())


# -- review ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its policies, in a folder, with three commits; and one that is not committed."""
    (tmp_path / "policies").mkdir()
    policy = (ROOT / "policies" / "inference-api.yaml").read_text()
    (tmp_path / "policies" / "regions.yaml").write_text((ROOT / "policies" / "regions.yaml").read_text())
    git(tmp_path, "init", "-q", "-b", "main")
    for demand in (800, 820, 840, 860):
        (tmp_path / "policies" / "api.yaml").write_text(policy.replace("demand: 800", f"demand: {demand}"))
        if demand != 860:
            git(tmp_path, "add", "policies")
            git(tmp_path, "commit", "-q", "-m", f"demand {demand}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_command_that_reviews_finds_the_change(repository: Path) -> None:
    for words in commands("review"):
        here = repository / "policies" if words[1:] == ["main"] else repository
        with chdir(here):
            told = failoverctl(*words)
        assert (told.code, told.err) == (10, ""), words
        assert "demand" in told.out.decode(), words


def test_the_example_of_a_review_is_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = (ROOT / "policies" / "inference-api.yaml").read_text()
    edited = "".join(line for line in policy.splitlines(keepends=True) if "aws-use1" not in line)
    for said, instead in (("share: 70", "share: 60"), ("share: 30", "share: 40"), ("changes: 4", "changes: 9")):
        edited = edited.replace(said, instead)
    for name, text in (("before", policy), ("after", edited)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inference-api.yaml").write_text(text)
        (tmp_path / name / "regions.yaml").write_text((ROOT / "policies" / "regions.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    ((command, printed),) = re.findall(r"```console\n\$ failoverctl (review .*?)\n(.*?)```", PAGE, re.DOTALL)
    told = failoverctl(*shlex.split(command))
    assert (told.code, told.out.decode()) == (10, printed)


def test_the_page_names_everything_that_must_be_seen() -> None:
    table = PAGE.partition("| to see before merging | which says |")[2].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`(?=[^|]*\|[^|]*\|\n)", f"{table}\n") == list(AlarmKind)


def test_the_json_of_a_review_has_the_keys_that_the_page_names() -> None:
    section = PAGE.partition("`--output json` prints one object: `old`")[2].partition("\n\n")[0]
    named = {"old", *re.findall(r"`([a-z_]+)`", section)} - {"check"}
    models = (ReviewTold, AlarmTold, SettingTold, ShareTold, StandsTold)
    assert named == {name for model in models for name in model.model_fields}
