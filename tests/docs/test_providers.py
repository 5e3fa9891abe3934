"""What docs/providers.md says about the providers is what their code says; its examples load, its permissions parse."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from support.contract import ENTRIES
from support.manual import MANUAL, REAL_KINDS, ROOT, blocks
from support.servers import program

from failoverd.config.loader import load_config
from failoverd.config.values import say_duration
from failoverd.core.records import Fence, Marking, RecordType, Weights
from failoverd.ports import ProviderKind
from failoverd.providers.azure.session import READS, WRITES
from failoverd.providers.shared.bucket import Rate
from failoverd.settings import ProviderSettings, parse_duration

PAGE = (ROOT / "docs" / "providers.md").read_text()
PERMISSIONS = ROOT / "docs" / "permissions"
KINDS = REAL_KINDS.providers
ABOUT = ("Fence", "Requests", "Credentials", "Permissions", "Limits", "Leaves alone", "By hand")
HEAD = "version: 1\nowner: prod\npolicies: policies\n"


def chapter(title: str) -> str:
    _, _, after = PAGE.partition(f"\n## {title}\n")
    assert after, title
    return after.partition("\n## ")[0]


def table(text: str, *heading: str) -> list[list[str]]:
    """The cells of the rows of the table whose heading begins with these words."""
    rows = text.partition(f"\n| {' | '.join(heading)} |")[2].partition("\n\n")[0].splitlines()[2:]
    assert rows, heading
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in rows]


def by_kind(rows: list[list[str]]) -> dict[str, list[str]]:
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0].strip("`"): row[1:] for row in rows}


# -- what each can do --------------------------------------------------------------------------------------------------


def said_of(kind: ProviderKind) -> list[str]:
    """The row of the first table: the capabilities, in words."""
    can = kind.capabilities

    def types(way: Weights) -> str:
        those = [each for each in RecordType if can.weights.get(each) is way]
        return ", ".join(f"{each} (one)" if each in can.single else str(each) for each in those)

    answers = "no limit" if can.max_answers is None else str(can.max_answers)
    choices = ["yes" if choice else "no" for choice in (can.aliases, can.creates, can.wildcards)]
    return [types(Weights.NATIVE), types(Weights.MEMBERSHIP), str(can.max_weight), answers, *choices]


def rations(kind: ProviderKind) -> str:
    def rate(at: Rate) -> str:
        return f"{at.per_second:g} a second, {at.burst:g} at once"

    if {"subscription"} & kind.settings.model_fields.keys():
        return f"reads {rate(READS)}; writes {rate(WRITES)}"
    field = kind.settings.model_fields.get("requests_per_second")
    return "not rationed" if field is None else f"{field.default:g} a second"


def test_the_table_of_capabilities_is_that_of_the_code() -> None:
    can = table(PAGE, "kind", "native weights")
    assert by_kind(can) == {name: said_of(kind) for name, kind in KINDS.items()}
    assert all(kind.capabilities.min_ttl == 1 for kind in KINDS.values()), "the page does not speak of a lowest TTL"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_fence_marker_proof_and_rate_are_those_of_the_code(kind: ProviderKind) -> None:
    safety = table(PAGE, "kind", "a stale writer is refused")
    refused, marker, asked, requests = by_kind(safety)[kind.name]
    beside = kind.capabilities.marking is Marking.TXT
    strengths = re.findall("|".join(Fence), refused)
    assert strengths == [kind.capabilities.fence, *([Fence.CHECKED_BEFORE] if kind.name == "powerdns" else [])]
    assert ("**" in refused) == (Fence.CHECKED_BEFORE in strengths)
    assert (marker == "TXT") == beside
    assert asked == ("marker and answers" if beside else "answers")
    assert requests == rations(kind)


# -- a chapter for each ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_chapter_tells_everything(kind: ProviderKind) -> None:
    text = chapter(f"`{kind.name}`")
    assert tuple(re.findall(r"\*\*([A-Z][\w ]+)\.\*\*", text)) == ABOUT


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_kind_loads(kind: str, tmp_path: Path) -> None:
    (block,) = blocks("provider", chapter(f"`{kind}`"))
    (tmp_path / "failoverd.yaml").write_text(HEAD + block)
    found = load_config(tmp_path / "failoverd.yaml", REAL_KINDS)
    assert found.diagnostics == ()
    assert found.config is not None
    assert [provider.kind.name for provider in found.config.providers.values()] == [kind]


def test_nobody_is_left_out_of_what_is_verified() -> None:
    verified = table(PAGE, "kind", "run against")
    assert set(by_kind(verified)) == set(KINDS)
    assert {entry.kind.name for entry in ENTRIES} == set(KINDS)


def test_every_race_that_is_claimed_is_run() -> None:
    verified = table(PAGE, "kind", "run against")
    claimed = {name for name, (*_, races) in by_kind(verified).items() if not races.startswith("no")}
    assert claimed == {name for name, kind in KINDS.items() if not kind.in_daemon and name != "azure_traffic_manager"}
    races = " ".join(path.read_text() for path in (ROOT / "tests" / "providers").glob("test_*_race.py"))
    assert {name for name in claimed if name not in races} == set()


# -- settings ----------------------------------------------------------------------------------------------------------


def described() -> dict[str, dict[str, str]]:
    """The defaults that the manual says, by kind and dotted key; those of every kind are under `all`."""
    found: dict[str, dict[str, str]] = {}
    kinds: list[str] = []
    for cells in table(MANUAL.read_text(), "kind", "key"):
        kinds = re.findall(r"`(\w+)`", cells[0]) or ([cells[0]] if cells[0] else kinds)
        for kind in kinds:
            found.setdefault(kind, {})[cells[1].strip("`")] = cells[2]
    return found


def model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any type at all
    """The model that a field holds, or may hold."""
    if get_origin(annotation) in {Union, UnionType}:
        return next((found for found in map(model_in, get_args(annotation)) if found is not None), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if inner is None:
            yield prefix + name, field
        else:
            yield from leaves(inner, f"{prefix}{name}.")


def disagrees(field: FieldInfo, said: str) -> bool:
    """Whether the manual says another default. Where the code has none to name, words explain what happens."""
    if field.is_required():
        return said != "required"
    default = field.get_default(call_default_factory=True)
    if default is None or default == {}:
        return said.startswith("required")
    if any(getattr(each, "func", None) is parse_duration for each in field.metadata):
        return said != f"`{say_duration(default)}`"
    return said != f"`{str(default).lower() if isinstance(default, bool) else plain(default)}`"


def plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def wrong(fields: Mapping[str, FieldInfo], said: Mapping[str, str]) -> dict[str, str]:
    return {key: said[key] for key, field in fields.items() if disagrees(field, said[key])}


def test_every_settings_key_of_every_kind_is_explained_with_its_default() -> None:
    manual = described()
    assert set(manual) == {"all", *KINDS}
    common = dict(leaves(ProviderSettings))
    assert set(manual["all"]) == set(common)
    assert wrong(common, manual["all"]) == {}
    for name, kind in KINDS.items():
        own = {key: field for key, field in leaves(kind.settings) if key not in common}
        assert {key for key in manual[name] if key != "credential"} == set(own), name
        assert wrong(own, manual[name]) == {}, name


# -- permissions -------------------------------------------------------------------------------------------------------


def permissions(kind: str) -> set[str]:
    return {path.name for path in PERMISSIONS.glob(f"{kind}.*")}


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"embedded"}))
def test_a_kind_that_is_not_in_memory_has_its_permissions_written_down(kind: str) -> None:
    linked = set(re.findall(r"\]\(permissions/([\w.]+)\)", chapter(f"`{kind}`")))
    assert permissions(kind)
    assert permissions(kind) <= linked
    assert all((PERMISSIONS / name).is_file() for name in linked)


def test_no_permissions_are_left_of_a_kind_that_is_gone() -> None:
    assert {path.name.partition(".")[0] for path in PERMISSIONS.iterdir()} <= set(KINDS)


@pytest.mark.parametrize("path", sorted(PERMISSIONS.glob("*.json")), ids=lambda path: str(path.name))
def test_a_json_document_of_permissions_parses(path: Path) -> None:
    assert json.loads(path.read_text())


@pytest.mark.parametrize("kind", ["oci_dns", "oci_steering"])
def test_every_statement_of_an_oci_policy_is_one(kind: str) -> None:
    lines = [line for line in (PERMISSIONS / f"{kind}.txt").read_text().splitlines() if line and line[0] != "#"]
    pattern = r"Allow group \w+ to (inspect|read|use|manage) [a-z-]+ in compartment \w+( where \S+ !?= '\S+')?"
    assert lines
    assert [line for line in lines if not re.fullmatch(pattern, line)] == []


def test_the_commands_for_powerdns_are_those_that_pdnsutil_knows() -> None:
    lines = [line for line in (PERMISSIONS / "powerdns.txt").read_text().splitlines() if line and line[0] != "#"]
    known = subprocess.run([program("pdnsutil"), "--help"], capture_output=True, text=True, check=False, timeout=30)
    commands = [shlex.split(line) for line in lines]
    assert {words[0] for words in commands} == {"pdnsutil"}
    assert all(f"\n{words[1]} " in known.stdout for words in commands)


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("rfc2136.bind.conf", ["named-checkconf", "{}"]),
        ("rfc2136.knot.conf", ["knotc", "-c", "{}", "conf-check"]),
    ],
)
def test_a_configuration_of_a_server_passes_its_own_check(name: str, check: list[str]) -> None:
    tool, *words = (word.format(PERMISSIONS / name) for word in check)
    subprocess.run([program(tool), *words], check=True, capture_output=True, timeout=30)
