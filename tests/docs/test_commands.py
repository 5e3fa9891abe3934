"""A command that is told with what it is about can be pasted as it is: nothing is missing that the verb asks for."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REASON, BOTH = ("--reason",), ("--reason", "--for")
ASKED = {
    "approve": REASON, "drain": BOTH, "shed": BOTH, "pin": BOTH, "hold": BOTH, "pause": BOTH, "up": BOTH, "down": BOTH,
    "undo": BOTH, "extend": ("--for",),
}  # fmt: skip
TOLD = re.compile(rf"failoverctl ({'|'.join(ASKED)}) ([^`;()\n]+)")


def lacking(text: str) -> list[str]:
    """Commands in it that name what they are about, and lack an option without which they are refused."""
    found = [(each[0], each[1], each[2]) for each in TOLD.finditer(text)]
    return [whole for whole, verb, rest in found if not all(option in f"{rest} " for option in ASKED[verb])]


def spans(page: str) -> Iterator[str]:
    for block in re.findall(r"^```.*?\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        yield from block.splitlines()
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)):
        yield " ".join(span.split())


def texts(module: ast.Module) -> Iterator[str]:
    """What a module says, with its placeholders; and the commands that it puts together."""
    known = {
        node.target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    # parts of longer texts, and docstrings
    silent = {id(part) for node in ast.walk(module) if isinstance(node, ast.JoinedStr) for part in node.values}
    silent |= {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    for node in ast.walk(module):
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(partial(_part, known), node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "failoverctl":
            unknown = any(isinstance(each, ast.Starred) for each in node.args)
            yield "" if unknown else f"failoverctl {' '.join(_part(known, each) for each in node.args)}"


def _part(known: Mapping[str, object], node: ast.expr) -> str:
    if isinstance(node, ast.FormattedValue):
        node = node.value
    if isinstance(node, ast.Name):
        return str(known.get(node.id, "{}"))
    return str(node.value) if isinstance(node, ast.Constant) else "{}"


def modules() -> list[Path]:
    return sorted((ROOT / "failoverd").rglob("*.py"))


def test_a_command_that_the_program_tells_is_whole() -> None:
    found = {path: lacking("\n".join(texts(ast.parse(path.read_text())))) for path in modules()}
    assert {path.name: wrong for path, wrong in found.items() if wrong} == {}


def test_a_command_of_the_runbooks_is_whole() -> None:
    assert lacking("\n".join(spans((ROOT / "docs" / "runbooks.md").read_text()))) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("failoverctl approve {} to go on", ["failoverctl approve {} to go on"]),
        ("failoverctl extend {} --for 1h, or failoverctl release {}", []),
        ("failoverctl hold POLICY --reason TEXT --for 1h; then wait", []),
        ("failoverctl hold POLICY --reason TEXT; --for 1h is the least", ["failoverctl hold POLICY --reason TEXT"]),
        ("`failoverctl pin`", []),
    ],
)
def test_what_is_lacking_is_seen(text: str, wrong: list[str]) -> None:
    assert lacking(text) == wrong
