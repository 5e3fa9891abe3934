"""docs/health.md: its examples, its table and its numbers are those of the core."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.scenes import HEALTHS, NOW, finding, result

from failoverd.config.values import parse_percent, say_duration, say_percent
from failoverd.core.health.counting import CountOutcome, count
from failoverd.core.health.electorate import Voter
from failoverd.core.health.endpoint import TABLE, CheckHealth, Health, Observation, combined, observe
from failoverd.core.health.isolation import NEVER, CloudState, Doubt, Family, IsolationRules, SentinelState, assess
from failoverd.core.health.region import RegionHealth, roll_up
from failoverd.core.records import HealthRules
from failoverd.settings import parse_duration

PAGE = (Path(__file__).parents[2] / "docs" / "health.md").read_text()


@dataclass(frozen=True)
class Example:
    """One fenced block: its numbers by the name of the rule, and its lines before and after the arrow."""

    numbers: dict[str, float]
    lines: tuple[tuple[str, str], ...]


def examples(kind: str) -> Iterator[Example]:
    for numbers, text in re.findall(rf"^```{kind}(.*?)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        lines = [line.split("->") for line in text.splitlines()]
        yield Example(
            dict(number(pair) for pair in numbers.split()), tuple((do.strip(), then.strip()) for do, then in lines)
        )


def number(text: str) -> tuple[str, float]:
    """`flap.half_life=10m` as the name of the rule and its value."""
    key, _, value = text.partition("=")
    name = key.replace(".", "_")
    if value.endswith("%"):
        return name, parse_percent(value)
    return name, int(value) if value.isdigit() else parse_duration(value)


def rules(example: Example) -> HealthRules:
    return HealthRules(**example.numbers)  # type: ignore[arg-type]  # the page says which


# -- outcomes ----------------------------------------------------------------------------------------------------------


def said(seen: Observation) -> set[str]:
    """What is so after an outcome, in the words of the page."""
    health = seen.health
    words = {health.state.value}
    counts = {"failures": health.failures, "penalty": round(health.penalty)}
    words |= {f"{name} {count}" for name, count in counts.items() if count}
    flags = {"recheck": seen.recheck, "siblings": seen.siblings, "suppressed": health.suppressed}
    return words | {name for name, so in flags.items() if so}


@pytest.mark.parametrize("example", list(examples("outcomes")))
def test_a_series_of_outcomes(example: Example) -> None:
    health = CheckHealth(since=NOW)
    for done, then in example.lines:
        at, *letters = done.split()
        explained, letters = "explained" in letters, [letter for letter in letters if letter != "explained"]
        for index, letter in enumerate(letters):
            moment = NOW + parse_duration(at) + index
            seen = observe(health, result(letter, moment), rules(example), explained=explained)
            health = seen.health
        assert said(seen) == set(then.split(", ")), done


# -- regions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", list(examples("region")))
def test_a_series_of_scores(example: Example) -> None:
    before: RegionHealth | None = None
    for done, then in example.lines:
        verdicts = [(f"192.0.2.{index}", finding(HEALTHS[letter])) for index, letter in enumerate(done.split())]
        before = roll_up("azure", verdicts, before, rules(example), NOW)
        assert f"{before.state}, {before.score / 100:g}%" == then, done


@pytest.mark.parametrize("text", re.findall(r"^```weighed (.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
def test_a_series_of_scores_of_endpoints_with_weights(text: str) -> None:
    weights, *lines = text.splitlines()
    for line in lines:
        letters, _, then = (part.strip() for part in line.partition("->"))
        verdicts = [(f"192.0.2.{index}", finding(HEALTHS[letter])) for index, letter in enumerate(letters.split())]
        found = roll_up("azure", verdicts, None, HealthRules(), NOW, [int(weight) for weight in weights.split()])
        assert f"{found.state}, {found.score / 100:g}%" == then, line


def test_how_several_checks_come_to_one_state() -> None:
    (text,) = re.findall(r"^```checks$(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for line in text.strip().splitlines():
        scene, _, then = (part.strip() for part in line.partition("->"))
        *letters, how = scene.split()
        needed = {"all": len(letters), "any": 1}.get(how) or int(how)
        assert combined([HEALTHS[letter] for letter in letters], needed) == then, line


# -- several vantages --------------------------------------------------------------------------------------------------

COME_TO = {"agreed": CountOutcome.AGREED, "split": CountOutcome.SPLIT, "too few": CountOutcome.TOO_FEW}


def voter(said: str) -> tuple[Voter, Health]:
    """`azure-1 F`."""
    name, letter = said.split()
    heard_at = NEVER if letter == "-" else NOW
    return Voter(name, name.split("-")[0], heard_at, letter == "B"), HEALTHS.get(letter, Health.UNKNOWN)


def test_what_votes_come_to() -> None:
    (text,) = re.findall(r"^```votes$(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for line in text.strip().splitlines():
        scene, _, then = (part.strip() for part in line.partition("->"))
        before, _, told = scene.partition(" ")
        votes = [voter(each) for each in told.strip().split(", ")]
        seen = {each.name: health for each, health in votes}
        found = count(seen, [each for each, _ in votes], Health(before), NOW, fresh=20.0)
        health, how, *cut_off = then.split(", ")
        assert (found.health, found.outcome) == (Health(health), COME_TO[how]), line
        assert [f"cut off: {' '.join(found.unreachable_from)}"] * bool(found.unreachable_from) == cut_off, line


# -- isolation ---------------------------------------------------------------------------------------------------------


def voices(text: str) -> list[SentinelState]:
    found = re.search(r"(\d+) of (\d+) sentinels down", text)
    down, total = (int(part) for part in found.groups()) if found is not None else (0, 0)
    return [SentinelState(str(index), Family.IPV4, down=index < down, well=index >= down) for index in range(total)]


@pytest.mark.parametrize("example", list(examples("isolation")))
def test_a_series_of_sights(example: Example) -> None:
    numbers = IsolationRules(**example.numbers)  # type: ignore[arg-type]  # the page says which
    doubt: Doubt | None = None
    lost_at: dict[str, float] = {}
    answered_at = NEVER
    for done, then in example.lines:
        at = parse_duration(done.split()[0])
        clouds = []
        for cloud, failing, watched in re.findall(r"(\w+) (\d+)/(\d+)", done):
            if int(failing) * 2 > int(watched):
                lost_at.setdefault(cloud, at)
            else:
                lost_at.pop(cloud, None)
            clouds.append(CloudState(cloud, int(watched), int(failing), lost_at.get(cloud)))
        if any(sight.failing < sight.watched for sight in clouds):
            answered_at = at
        doubt = assess(Family.IPV4, clouds, voices(done), doubt, numbers, at, answered_at=answered_at)
        assert (f"abstains: {doubt.cause}" if doubt is not None and doubt.abstains else "trusts") == then, done


# -- the page itself ---------------------------------------------------------------------------------------------------


def test_there_are_examples_of_each_kind() -> None:
    assert {kind: len(list(examples(kind))) > 0 for kind in ("outcomes", "region", "isolation")} == {
        "outcomes": True,
        "region": True,
        "isolation": True,
    }


@pytest.mark.parametrize("state", Health)
def test_the_table_is_the_one_in_the_code(state: Health) -> None:
    told = [str(TABLE[state, alive].__doc__).splitlines()[0] for alive in (False, True)]
    assert f"| {state.name} | {told[0]} | {told[1]} |" in PAGE


def test_the_defaults_are_those_of_the_code() -> None:
    health, isolation = HealthRules(), IsolationRules()
    defaults = {
        "fall": str(health.fall),
        "rise": str(health.rise),
        "recheck": say_duration(health.recheck),
        "warm_up": say_duration(health.warm_up),
        "checks": str(health.checks) if health.checks else "all",
        "degraded_below": say_percent(health.degraded_below),
        "down_below": say_percent(health.down_below),
        "recover_margin": say_percent(health.recover_margin),
        "degraded.window": str(health.degraded_window),
        "degraded.enter": say_percent(health.degraded_enter),
        "degraded.leave": say_percent(health.degraded_leave),
        "flap.penalty": f"{health.flap_penalty:g}",
        "flap.half_life": say_duration(health.flap_half_life),
        "flap.suppress": f"{health.flap_suppress:g}",
        "flap.reuse": f"{health.flap_reuse:g}",
        "flap.max_suppress": say_duration(health.flap_max_suppress),
        "isolation.sentinels": say_percent(isolation.sentinels),
        "isolation.window": say_duration(isolation.window),
        "isolation.doubt": say_duration(isolation.doubt),
    }
    assert dict(re.findall(r"^\| `([a-z_.]+)` \| `(\S+)` \|", PAGE, re.MULTILINE)) == defaults
