"""Each rule that never bends, broken in a copy, is noticed: some of them here, all by `make mutations`."""

from pathlib import Path

import pytest
from support.laws import Law
from support.mutations import ALL, MEMBERS, NOTICED, ROOT, UNNOTICED, Edit, Mutation, main, tried

ELSEWHERE = {Law.DRY_RUN, Law.SECRETS}
"""Rules of which the world on paper knows nothing: the tests of providers and of words hold them."""

SOME = ("a generation grows from what this process wrote last, and not from what stands there",)


def test_each_rule_is_broken_once() -> None:
    assert {each.law for each in ALL} == set(Law) - ELSEWHERE
    assert len({each.name for each in ALL}) == len(ALL)


@pytest.mark.parametrize("mutation", ALL, ids=lambda mutation: mutation.name)
def test_what_a_mutation_breaks_is_there(mutation: Mutation, tmp_path: Path) -> None:
    for edit in mutation.edits:
        path = tmp_path / "failoverd" / edit.file
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes((ROOT / "failoverd" / edit.file).read_bytes())
        edit.apply(tmp_path)
        compile(path.read_text(encoding="utf-8"), edit.file, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME)
def test_a_broken_rule_is_noticed(name: str) -> None:
    verdict = tried(next(each for each in ALL if each.name == name))
    assert verdict.noticed, verdict.said


@pytest.mark.slow
def test_what_breaks_nothing_is_not_noticed() -> None:
    """Else it would be the copy that is noticed."""
    comment = Edit("core/control/plan.py", "def drifted(", "# nothing\ndef drifted(")
    assert not tried(Mutation("nothing", Law.STALE, (comment,), MEMBERS, seeds=1)).noticed
    assert NOTICED != UNNOTICED


def test_a_mutation_whose_words_are_gone_fails_and_says_where() -> None:
    gone = Edit("core/control/plan.py", "no such words", "")
    with pytest.raises(LookupError, match=r"failoverd/core/control/plan\.py has 0 times .* 'no such words'"):
        tried(Mutation("gone", Law.STALE, (gone,)))


def test_a_name_that_no_mutation_has_is_no_success() -> None:
    assert main(["no such mutation"]) == 1
