"""`failoverctl review`: what two sides are, what is told of them, and how it ends."""

import json
from pathlib import Path

import pytest
from support.commands import CONFIG, Ended, failoverctl
from support.playing import POLICY, REGIONS, folder
from support.repositories import git

from failoverd.cli.telling_comparisons import ReviewTold

FINE, FAILED, USAGE, PENDING, UNCONFIGURED = 0, 1, 2, 10, 78
LESS = POLICY.replace("demand: 800", "demand: 600")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with policies in a folder, committed once."""
    (tmp_path / "policies").mkdir()
    folder(tmp_path / "policies", "version: 1\ntests: []\n")
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAILOVERD_CONFIG", str(tmp_path / "nowhere.yaml"))
    return tmp_path


def commit(path: Path) -> None:
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "what it is")


def edit(path: Path, text: str, name: str = "shop") -> None:
    (path / "policies" / f"{name}.yaml").write_text(text)


def reviewed(*words: str) -> ReviewTold:
    ended = failoverctl("review", *words, "--output", "json")
    assert ended.out, ended.err
    return ReviewTold.model_validate(json.loads(ended.out))


def first(ended: Ended) -> str:
    return ended.out.decode().splitlines()[0]


# -- sides -------------------------------------------------------------------------------------------------------------


def test_a_revision_is_held_against_the_files_as_they_are(repository: Path) -> None:
    told = failoverctl("review", "main", "--folder", "policies")
    assert (told.code, first(told)) == (FINE, "nothing changes")
    edit(repository, LESS)
    told = failoverctl("review", "main", "--folder", "policies")
    assert (told.code, first(told)) == (PENDING, "1 policy changes")
    assert "azure-weu  shop    oci-fra 75%, aws-use1 25%  oci-fra 100%" in told.out.decode()


def test_two_revisions_are_compared_whatever_the_files_say_now(repository: Path) -> None:
    edit(repository, LESS)
    commit(repository)
    edit(repository, "no policy")
    assert reviewed("HEAD^1", "git:HEAD", "--folder", "policies").changed == ["shop"]
    assert reviewed("HEAD", "HEAD^1", "--folder", "policies").changed == ["shop"]


def test_a_folder_beside_a_revision_is_where_its_files_are(repository: Path) -> None:
    edit(repository, LESS)
    assert reviewed("main", "policies").changed == ["shop"]
    assert reviewed("policies", "main").settings[0].before == "600"


def test_it_is_the_same_from_within_the_folder(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "policies")
    for words in (("main",), ("main", "."), ("main", "shop.yaml"), (str(repository / "policies"), ".")):
        told = reviewed(*words)
        assert (told.differs, told.changed, told.settings) == (False, [], []), words


def test_where_neither_side_has_a_policy_nothing_is_compared(repository: Path) -> None:
    told = failoverctl("review", "main", "HEAD")
    assert (told.code, "no_policies" in told.err, "--folder" in told.err) == (FAILED, True, True)
    assert failoverctl("review", "main", "HEAD", "--folder", str(repository / "policies")).code == FINE


def test_two_folders_and_two_files_are_compared(repository: Path) -> None:
    (repository / "new").mkdir()
    folder(repository / "new", "version: 1\ntests: []\n", policy=LESS)
    assert reviewed("policies", "new").changed == ["shop"]
    assert reviewed("policies/shop.yaml", "new/shop.yaml").changed == ["shop"]
    assert reviewed("main", "policies/shop.yaml").changed == []


def test_what_the_configuration_names_is_where_they_are(repository: Path) -> None:
    (repository / "failoverd.yaml").write_text(CONFIG.replace("local", "dns").replace("example.test", "example.com"))
    edit(repository, LESS)
    assert reviewed("main").changed == ["shop"]
    (repository / "failoverd.yaml").write_text("version: 1\n")
    told = failoverctl("review", "main")
    assert (told.code, "config_invalid" in told.err) == (FAILED, True)


def test_a_revision_before_there_were_policies_held_none(repository: Path) -> None:
    (repository / "later").mkdir()
    folder(repository / "later", "version: 1\ntests: []\n")
    told = reviewed("main", "later")
    assert (told.added, told.diagnostics) == (["shop"], [])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("nosuch",), "revision_unknown"),
        (("git:--help",), "revision_unknown"),
        (("main", "--folder", "nowhere"), "no_such_file"),
    ],
)
def test_what_is_not_there_is_named(repository: Path, words: tuple[str, ...], reason: str) -> None:
    told = failoverctl("review", *words)
    assert (told.code, reason in told.err, told.out) == (FAILED, True, b""), (repository, told)


# -- files that do not load --------------------------------------------------------------------------------------------


def test_a_new_file_that_does_not_load_fails_and_what_runs_of_it_goes_on(repository: Path) -> None:
    edit(repository, POLICY.replace("share: 70", "shrae: 70"))
    told = failoverctl("review", "main", "policies")
    assert (told.code, first(told)) == (FAILED, "2 errors: not all of it loads; nothing changes")
    assert 'policies/shop.yaml:9:15  error FD201: unknown key "shrae"' in told.out.decode()


def test_an_inventory_that_does_not_load_takes_nothing_away(repository: Path) -> None:
    edit(repository, "nonsense", "regions")
    told = reviewed("main", "policies")
    assert (told.differs, told.removed, bool(told.diagnostics)) == (False, [], True)


def test_a_file_that_is_put_right_is_no_failure(repository: Path) -> None:
    edit(repository, "no policy")
    commit(repository)
    edit(repository, POLICY)
    told = failoverctl("review", "main", "policies")
    assert told.code == PENDING
    _, _, amiss = told.out.decode().partition("Did not load before\n")
    assert "main:./policies/shop.yaml:1:1  error FD111" in amiss


def test_warnings_are_told_that_are_new(repository: Path) -> None:
    edit(repository, LESS.replace("share: 70", "share: 60"))
    told = reviewed("main", "policies")
    assert "FD402" in {each.code for each in told.diagnostics}
    assert reviewed("policies", "policies").diagnostics == []


# -- what is told ------------------------------------------------------------------------------------------------------


def test_it_is_told_as_json(repository: Path) -> None:
    edit(repository, LESS + "when_all_down: normal\n")
    told = reviewed("main", "policies")
    assert (told.old, told.new, told.differs, told.unchanged) == ("main", "policies", True, 0)
    assert [(each.kind, each.policy) for each in told.alarms] == [("when_all_down", "shop")]
    (row,) = told.shares
    assert (row.lost, row.records) == ("azure-weu", ["shop.example.com A at dns"])
    assert row.before is not None
    assert row.before.shares_bp == {"oci-fra": 7500, "aws-use1": 2500}
    assert [each.key for each in told.settings] == ["when_all_down", "demand"]


def test_a_line_of_the_inventory_is_told_once_and_plays_whom_it_concerns(repository: Path) -> None:
    edit(repository, REGIONS.replace("capacity: 600", "capacity: 700"), "regions")
    told = failoverctl("review", "main", "policies")
    assert first(told) == "the inventory changes"
    assert "oci-fra 87.5%" in told.out.decode()


def test_words_of_a_file_are_shown_and_not_obeyed(repository: Path) -> None:
    edit(repository, POLICY.replace("owner: team-shop", 'owner: "team \\u202e <b>"'))
    told = failoverctl("review", "main", "policies")
    assert told.said.replace("\n", "").isprintable()
