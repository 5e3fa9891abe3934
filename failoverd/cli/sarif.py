"""What `check` finds as SARIF 2.1.0 (OASIS Standard), which servers of code show at the lines of a pull request."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import failoverd
from failoverd.config.diagnostics import Code, Diagnostic
from failoverd.foreign import shown

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

ROOT: Final = "%SRCROOT%"
"""The working directory, which in CI is the root of the repository; its place on this machine is nobody's business."""

_PAGE: Final = "policies.html#diagnostics"
"""The table of codes, in the site that `make docs` makes."""


def as_sarif(diagnostics: Sequence[Diagnostic], docs: str) -> dict[str, Any]:
    """One run. `docs`: where the pages of docs/ are, for links of rules to help; "" where nobody said."""
    codes = list(Code)
    numbers = {code: number for number, code in enumerate(codes)}
    driver = {
        "name": "failoverctl check",
        "semanticVersion": failoverd.__version__,
        "rules": [_rule(code, docs) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, numbers[each.code]) for each in diagnostics],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: Code, docs: str) -> dict[str, Any]:
    said = f"{code.meaning[0].upper()}{code.meaning[1:]}."
    rule = {
        "id": code.value,
        "name": "".join(word.capitalize() for word in code.name.split("_")),
        "shortDescription": {"text": said},
        "help": {"text": f"{said} docs/policies.md, in the chapter Diagnostics, says more of {code.value}."},
        "defaultConfiguration": {"level": _usual_level(code)},
    }
    return {**rule, "helpUri": f"{docs.rstrip('/')}/{_PAGE}"} if docs else rule


def _usual_level(code: Code) -> str:
    """FD4xx is worth a look, and so is what cannot fail; the moment may decide otherwise, which a result then says."""
    worth_a_look = code.value.startswith("FD4") and code is not Code.LIMIT_BLOCKS
    return "warning" if worth_a_look or code is Code.TEST_CANNOT_FAIL else "error"


def _result(found: Diagnostic, number: int) -> dict[str, Any]:
    said = f"{found.message}: {found.hint}" if found.hint else found.message
    region: dict[str, Any] = {"startLine": max(found.line, 1)}  # 1 where a file is meant as a whole: viewers want one
    if found.line:
        region["startColumn"] = max(found.column, 1)
        region |= {"snippet": {"text": found.excerpt}} if found.excerpt else {}
    place = {"artifactLocation": _artifact(found.file), "region": region}
    return {
        "ruleId": found.code.value,
        "ruleIndex": number,
        "level": "error" if found.is_error else "warning",
        "message": {"text": _plain(said)},
        "locations": [{"physicalLocation": place}],
    }


def _artifact(file: str) -> dict[str, str]:
    """Relative to the working directory where it is below it, for that is how a repository knows it."""
    path, here = Path(file), _here()
    whole = Path(here, path)
    if ".." in path.parts or not whole.is_relative_to(here):
        return {"uri": whole.as_uri()}
    return {"uri": quote(os.fsencode(whole.relative_to(here))), "uriBaseId": ROOT}


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # somebody removed it meanwhile: nothing is below it, but what is named from it on
        return Path("/nowhere")


def _plain(text: str) -> str:
    """Without what a viewer would take for a link of ours: `[words](target)` (SARIF 3.11.6)."""
    return re.sub(r"\](?=\()", "] ", shown(text))
