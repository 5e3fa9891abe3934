"""What does not load is not planned for, and nobody is told that nothing is to be done."""

import json
from pathlib import Path

import pytest
from support.commands import POLICY, failoverctl, written

FAILED = 1
HALF = POLICY.partition("checks:")[0]


def test_a_plan_over_files_that_do_not_load_is_no_fine_one(tmp_path: Path) -> None:
    config = written(tmp_path, {"shop.yaml": HALF})
    told = failoverctl("plan", "--config", config)
    assert told.code == FAILED, told.said
    assert f"nothing is planned for what does not load: {tmp_path}/policies/shop.yaml" in told.err
    assert "failoverctl check" in told.err


@pytest.mark.parametrize("gone", ["regions.yaml", "shop.yaml"])
def test_nor_is_one_without_inventory_or_policies(tmp_path: Path, gone: str) -> None:
    config = written(tmp_path)
    (tmp_path / "policies" / gone).unlink()
    told = failoverctl("plan", "--config", config)
    assert (told.code, "nothing is planned for" in told.err) == (FAILED, True), told.said


def test_json_stays_what_it_is_and_the_exit_code_says_it(tmp_path: Path) -> None:
    config = written(tmp_path, {"shop.yaml": HALF})
    told = failoverctl("plan", "--output", "json", "--config", config)
    assert (told.code, json.loads(told.out)) == (FAILED, []), told.said


def test_a_link_out_of_the_folder_shows_no_word_of_what_it_leads_to(tmp_path: Path) -> None:
    config = written(tmp_path)
    (tmp_path / "secrets").write_text("STRIPE: CANARY-live\n")
    (tmp_path / "policies" / "link.yaml").symlink_to("../secrets")
    told = failoverctl("plan", "--config", config)
    assert (told.code, "policies/link.yaml" in told.err) == (FAILED, True), told.said
    assert ("STRIPE" in told.said, "CANARY" in told.said) == (False, False), told.said
