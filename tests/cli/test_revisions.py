"""What a folder held at a revision of its git repository, and what of it may not be believed."""

from pathlib import Path

import pytest
from support.repositories import git

from failoverd.cli import revisions
from failoverd.cli.revisions import checked_out
from failoverd.core.errors import ConfigError


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A folder in a repository with one commit."""
    folder = tmp_path / "infra" / "policies"
    folder.mkdir(parents=True)
    (folder / "api.yaml").write_text("old")
    (folder / "regions.yaml").write_text("regions")
    (folder / "notes.txt").write_text("no policy")
    (tmp_path / "infra" / "else.yaml").write_text("of another folder")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    return folder


def refusal(folder: Path, said: str) -> str:
    with pytest.raises(ConfigError) as caught, checked_out(folder, said):
        pass
    assert caught.value.reason == "revision_unknown"
    return str(caught.value)


def test_the_files_of_the_folder_are_those_of_the_revision_and_go_afterwards(policies: Path) -> None:
    (policies / "api.yaml").write_text("new")
    (policies / "added.yaml").write_text("new")
    for said in ("git:main", "git:HEAD"):
        with checked_out(policies, said) as place:
            found = {path.name: path.read_text() for path in place.iterdir()}
        assert (found, place.exists()) == ({"api.yaml": "old", "regions.yaml": "regions"}, False)
    assert (policies / "api.yaml").read_text() == "new"


def test_filters_of_the_repository_are_not_run(policies: Path) -> None:
    (policies / ".gitattributes").write_text("*.yaml filter=evil\n")
    git(policies, "add", "-A")
    git(policies, "commit", "-q", "-m", "attributes")
    git(policies, "config", "filter.evil.smudge", f"touch {policies}/run; cat")
    with checked_out(policies, "git:main") as place:
        assert (place / "api.yaml").read_text() == "old"
    assert not (policies / "run").exists()


def test_what_a_hook_says_of_another_repository_is_not_heeded(policies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    with checked_out(policies, "git:main") as place:
        assert (place / "api.yaml").exists()


@pytest.mark.parametrize("said", ["main", "git:", "git:--output=x", "git:a b", "git:a\nb", "git:" + "x" * 201])
def test_what_is_no_revision_never_reaches_git(policies: Path, said: str) -> None:
    assert "is no revision" in refusal(policies, said)


def test_what_cannot_be_compared_says_why(policies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no git repository that has 'nosuch'" in refusal(policies, "git:nosuch")
    (empty := tmp_path / "later").mkdir()
    assert "holds no policy file at git:main" in refusal(empty, "git:main")
    monkeypatch.setattr(revisions, "MOST_BYTES", 3)
    assert "more than" in refusal(policies, "git:main")


def test_a_repository_that_git_does_not_trust_is_told_as_one(policies: Path) -> None:
    (policies.parent.parent / ".git" / "config").write_text("[core\n")
    said = refusal(policies, "git:main")
    assert "bad config line 1" in said, said


def test_a_revision_that_was_not_fetched_is_told_as_one(policies: Path, tmp_path: Path) -> None:
    (policies / "api.yaml").write_text("new")
    git(policies, "commit", "-q", "-a", "-m", "second")
    git(tmp_path, "clone", "-q", "--depth", "1", tmp_path.as_uri(), str(tmp_path / "shallow"))
    with pytest.raises(ConfigError) as caught, checked_out(tmp_path / "shallow" / "infra" / "policies", "git:HEAD^1"):
        pass
    assert ("shallow" in str(caught.value), "git fetch --deepen" in caught.value.remedy) == (True, True)


def test_a_link_is_not_followed(policies: Path) -> None:
    (policies / "link.yaml").symlink_to("/etc/passwd")
    git(policies, "add", "-A")
    git(policies, "commit", "-q", "-m", "a link")
    assert "link.yaml is no plain file at git:main" in refusal(policies, "git:main")


def test_without_git_it_says_so(policies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "git cannot be run" in refusal(policies, "git:main")
