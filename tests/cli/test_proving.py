"""`failoverctl prove`: what it proves, what it tells a person and a program, and when it fails."""

import json
from pathlib import Path

import pytest
from support.commands import Ended, failoverctl, written
from support.manual import POLICIES
from support.playing import POLICY, folder

from failoverd.cli.proving_policies import ProofTold
from failoverd.core.control import limits
from failoverd.simulation.proof import Play

FINE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def proving(path: Path, *words: str, policy: str = POLICY) -> Ended:
    return failoverctl("prove", str(folder(path, "version: 1\ntests: []\n", policy=policy)), *words)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is down is rationed like everything else."""
    monkeypatch.setattr(limits, "_failing_out", lambda _step: frozenset())
    monkeypatch.setattr(limits, "_dead_values", lambda _step: False)


def test_a_sample_says_how_far_it_got_and_how_to_see_the_rest(tmp_path: Path) -> None:
    told = proving(tmp_path, "--most", "60")
    assert told.code == FINE, told.said
    assert told.out.decode().splitlines() == [
        "no counterexample: 60 of 1020 situations",
        "",
        "shop: 60 of 1020 situations",
        "  in whole: nothing else, budgets spent",
        "  sampled (--seed 1): 61 circumstances; --most 1020 looks at all of them",
    ]


@pytest.mark.usefixtures("held")
def test_a_promise_that_is_not_kept_is_told_with_its_sum_and_as_a_test(tmp_path: Path) -> None:
    told = proving(tmp_path, "--most", "60")
    assert told.code == FAILED
    lines = told.out.decode().splitlines()
    assert lines[0] == "1 promise not kept, in 60 of 1020 situations"
    assert lines[2] == "NOT KEPT  shop: no rate or count keeps a region that is down in an answer"
    assert lines[3] == "  when   oci-fra down, budgets spent"
    assert "    oci-fra is down (score 0%)" in lines
    assert '      series: {oci-fra/*: "P x10 F"}' in lines


@pytest.mark.usefixtures("held")
def test_the_same_as_json(tmp_path: Path) -> None:
    told = proving(tmp_path, "--most", "60", "--seed", "7", "--output", "json")
    assert told.code == FAILED
    answer = ProofTold.model_validate(json.loads(told.out))
    assert (answer.proved, answer.exhaustive, answer.seed) == (False, False, 7)
    (group,) = answer.groups
    assert (group.policies, group.situations, group.looked_at) == (["shop"], 1020, 60)
    (broken,) = group.broken
    assert (broken.promise, broken.states, broken.happened) == ("failing_out", {"oci-fra": "down"}, "budgets spent")


def test_files_that_do_not_load_prove_nothing(tmp_path: Path) -> None:
    told = proving(tmp_path, policy=POLICY.replace("share: 70", "share: many"))
    assert told.code == FAILED
    assert "error FD" in told.said
    assert told.out == b""


def test_a_file_that_is_no_policy_proves_nothing(tmp_path: Path) -> None:
    told = failoverctl("prove", str(folder(tmp_path, "version: 1\ntests: []\n") / "regions.yaml"))
    assert told.code == FAILED
    assert "no policy is in these files" in told.said


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    told = failoverctl("prove", str(tmp_path / "nowhere"))
    assert told.code == FAILED
    assert "nowhere is not there" in told.said


def test_no_situation_at_all_is_no_proof(tmp_path: Path) -> None:
    assert proving(tmp_path, "--most", "0").code == USAGE


def test_of_files_that_are_wrong_json_says_what_is(tmp_path: Path) -> None:
    told = proving(tmp_path, "--output", "json", policy=POLICY.replace("checks:", "chekcs:"))
    answer = ProofTold.model_validate(json.loads(told.out))
    assert (told.code, answer.proved, answer.groups) == (FAILED, False, [])
    assert {each.file for each in answer.diagnostics} >= {str(tmp_path / "shop.yaml")}


def test_without_paths_the_policies_of_the_configuration_that_lies_here_are_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FAILOVERD_CONFIG", raising=False)
    monkeypatch.chdir(written(tmp_path).parent)
    told = failoverctl("prove", "--most", "1")
    assert told.out.decode().splitlines()[2].startswith("shop: "), told.said


def test_who_has_no_more_time_is_told_how_far_it_got(tmp_path: Path) -> None:
    told = proving(tmp_path, "--within", "1ms")
    assert told.code == FAILED, "of nothing that was looked at nothing is known, and CI may not pass for that"
    assert told.out.decode().splitlines()[:2] == [
        "nothing was looked at: 0 of 1020 situations",
        "stopped before all was looked at that was to be",
    ]
    answer = ProofTold.model_validate(json.loads(proving(tmp_path, "--within", "1ms", "--output", "json").out))
    assert (answer.proved, answer.stopped, answer.exhaustive) == (False, True, False)


def test_so_is_who_interrupts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Play, "through", interrupted)
    told = proving(tmp_path)
    assert (told.code, told.out.decode().splitlines()[0]) == (
        INTERRUPTED,
        "nothing was looked at: 0 of 1020 situations",
    )


def test_by_a_configuration_records_are_what_its_providers_can_say(tmp_path: Path) -> None:
    config = written(tmp_path)
    told = failoverctl("prove", "--config", str(config), "--most", "20")
    assert told.code == FINE, told.said


@pytest.mark.parametrize("which", [POLICIES, POLICIES / "tiers"], ids=lambda path: path.name)
def test_the_examples_that_come_with_it_keep_their_promises(which: Path) -> None:
    """Of more situations than are looked at here: `failoverctl prove` alone looks at all of them."""
    told = failoverctl("prove", str(which), "--most", "30")
    assert told.code == FINE, told.said
