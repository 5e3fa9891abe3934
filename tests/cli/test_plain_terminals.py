"""Forty columns of ASCII, for names of files as well: every verb answers there, and takes a reason in any letters."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from support.commands import POLICY, Ended
from support.consoles import console
from support.plain_terminal import on_plain_terminal

from failoverd.cli.command_line import app
from failoverd.core.overrides import Verb

REASON = "Kühlung 東京"
GIVEN = ("--reason", REASON, "--for", "1h")
NOTED = ("--reason", REASON)

VERBS: dict[str, list[tuple[str, ...]]] = {
    "page": [],  # it ends when a person ends it: tests/docs/test_page.py
    "init": [("--provider", "rfc2136", "--zone", "wöw.example.test"), ("--provider", "röute53")],
    "check": [()],
    "test": [(), ("pölicies", "--run", "äzure")],
    "prove": [("pölicies",)],
    "simulate": [("wöw.scenario.yaml", "--what-if", "fäilback=1"), ("nowhere.scenario.yaml",)],
    "review": [("mäin",), ("nöwhere", "--format", "markdown")],
    "schema": [("events",), ("policy",)],
    "files": [(), ("wöw.yaml",)],
    "probe": [("west",)],
    "plan": [()],
    "apply": [("plän",)],
    "adopt": [("shöp", "shop.example.test")],
    "disown": [("shop", "shöp.example.test")],
    "import": [("local", "example.test", "wöw.example.test")],
    "status": [(), ("--output", "json")],
    "inventory": [(), ("--output", "json")],
    "members": [(), ("--output", "json")],
    "leader resign": [NOTED],
    "why": [()],
    "history": [()],
    "replay": [(), ("shöp",), ("--policy", "pölicies/shop.yaml")],
    "benchmark": [("shop", "--for", "1s", "--yes")],
    "notify test": [()],
    "drain": [("azure", *GIVEN), ("azüre", *GIVEN)],
    "shed": [("oci", "25%", *GIVEN)],
    "pin": [("inference-api", "azure=60,oci=40", *GIVEN)],
    "hold": [("inference-api", *GIVEN)],
    "pause": [("inference-api", *GIVEN)],
    "up": [("192.0.2.10", *GIVEN)],
    "down": [("192.0.2.10", *GIVEN)],
    "approve": [("dägest", *NOTED)],
    "switch": [("fröst", *GIVEN)],
    "practice start": [("azüre", *GIVEN)],
    "practice stop": [("azüre", *NOTED)],
    "undo": [GIVEN],
    "release": [("hölds", *NOTED)],
    "extend": [("drain-ö", "--for", "1h")],
    "agree": [("drain-ö", *NOTED)],
    "reload": [()],
    "overrides": [("--verbose",), ("--output", "json")],
}


def verbs(command: Any, name: str = "") -> Iterator[str]:  # noqa: ANN401 - typer's own copy of click has no types
    """What `failoverctl` can be asked."""
    if not hasattr(command, "commands"):
        yield name
        return
    for word, each in command.commands.items():
        yield from verbs(each, f"{name} {word}".strip())


def test_no_verb_is_forgotten() -> None:
    assert set(verbs(typer.main.get_command(app))) == set(VERBS)
    assert set(Verb) - {Verb.ALERT} <= {verb.split()[0] for verb in VERBS}, (
        "what a daemon can be told, a person can say"
    )


async def test_every_verb_answers_in_ascii_alone(tmp_path: Path) -> None:
    async with console(tmp_path / "Zürich") as here:
        strange = POLICY.replace("share: 50", "shäre東: 50", 1).replace("shop", "other")
        (here.config.parent / "policies" / "other.yaml").write_text(strange, "utf-8")
        config = ("--config", str(here.config))
        commands = [
            ("failoverctl", *verb.split(), *words, *(() if verb in {"files", "init", "schema", "prove"} else config))
            for verb, asked in VERBS.items()
            for words in asked
        ]
        commands += [("failoverctl", *verb.split(), "--help") for verb in ("", *VERBS)]
        commands += [("failoverd", "run", "--check-config", *config)]
        ended = await asyncio.to_thread(on_plain_terminal, commands, 40)
        said = dict(zip(commands, ended, strict=True))
        (drain,) = (word for word in here.crew.words() if word.verb == "drain")

    complaints = [f"{' '.join(words)}: {each.said}" for words, each in said.items() if is_broken(each)]
    assert complaints == []
    assert drain.reason == REASON

    (check,) = (each for words, each in said.items() if words[1] == "check" and "--help" not in words)
    assert 'unknown key "sh\\xe4re\\u6771"' in check.out.decode("ascii")
    assert r"K\xfchlung \u6771\u4eac" in said["failoverctl", "overrides", "--verbose", *config].out.decode("ascii")
    told = json.loads(said["failoverctl", "overrides", "--output", "json", *config].out)
    assert REASON in json.dumps(told, ensure_ascii=False)


def is_broken(ended: Ended) -> bool:
    text = ended.out.decode("ascii", "replace") + ended.err
    return "Traceback" in text or "internal_error" in text or "Error at " in text or not text.isascii()
