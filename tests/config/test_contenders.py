"""Who gets a name that two files want."""

from pathlib import Path

from support.files import Folder, policy


def sources(folder: Folder) -> dict[str, str]:
    """What runs, and from which file."""
    return {name: Path(running.source.file).name for name, running in sorted(folder.running.items())}


def test_among_new_files_the_first_by_name_gets_the_record(folder: Folder) -> None:
    second = folder.write("b.yaml", policy("second"))
    first = folder.write("a.yaml", policy("first"))
    found = folder.load()
    assert sources(folder) == {"first": "a.yaml"}
    (told,) = found.rejected[str(second)].diagnostics
    assert str(told) == (f"{second}:4:12: error FD304: api.example.net belongs to policy first at {first}:4")


def test_a_name_is_one_whatever_the_type_and_the_provider(folder: Folder) -> None:
    folder.write("a.yaml", policy("first", "api.example.com", weights="membership").replace("[cloud]", "[bind]"))
    other = policy("second", "api.example.com", weights="membership").replace("[cloud]", "[bind]")
    other = other.replace("type: A", "type: AAAA").replace("192.0.2.1", '"2001:db8::1"')
    folder.write("b.yaml", other.replace("198.51.100.1", '"2001:db8::2"'))
    assert [each.code.value for each in folder.load().diagnostics] == ["FD304"]


def test_what_runs_keeps_its_record_against_a_new_file(folder: Folder) -> None:
    folder.write("z.yaml", policy("running"))
    folder.load()
    folder.write("a.yaml", policy("newcomer"))
    folder.load()
    assert sources(folder) == {"running": "z.yaml"}


def test_a_policy_name_is_in_one_file(folder: Folder) -> None:
    folder.write("z.yaml", policy("api", "z.example.net"))
    folder.load()
    copy = folder.write("a.yaml", policy("api", "a.example.net"))
    found = folder.load()
    assert sources(folder) == {"api": "z.yaml"}
    assert [each.code.value for each in found.rejected[str(copy)].diagnostics] == ["FD305"]
    assert found.rejected[str(copy)].policies == ()


def test_a_running_policy_does_not_take_the_record_of_another_by_an_edit(folder: Folder) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    folder.write("b.yaml", policy("b", "b.example.net"))
    folder.load()
    folder.write("a.yaml", policy("a", "b.example.net"))
    found = folder.load()
    assert sources(folder) == {"a": "a.yaml", "b": "b.yaml"}
    assert found.kept == {"a"}
    assert folder.running["a"].records[0].key.name == "a.example.net"


def test_files_that_agree_on_a_swap_may_swap(folder: Folder) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    folder.write("b.yaml", policy("b", "b.example.net"))
    folder.load()
    folder.write("a.yaml", policy("a", "b.example.net"))
    folder.write("b.yaml", policy("b", "a.example.net"))
    assert folder.load().diagnostics == ()


def test_a_broken_file_goes_on_holding_its_record(folder: Folder) -> None:
    folder.write("z.yaml", policy("running"))
    folder.load()
    folder.write("z.yaml", "version: [")
    newcomer = folder.write("a.yaml", policy("newcomer"))
    found = folder.load()
    assert found.policies == {}
    assert found.kept == {"running"}
    assert "which runs from" in found.rejected[str(newcomer)].diagnostics[0].message


def test_a_record_that_a_rejected_edit_gives_up_is_still_held(folder: Folder) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    folder.write("b.yaml", policy("b", "b.example.net"))
    folder.load()
    folder.write("a.yaml", policy("a", "b.example.net"))  # loses b, so its running version keeps a
    folder.write("c.yaml", policy("c", "a.example.net"))
    folder.load()
    assert sources(folder) == {"a": "a.yaml", "b": "b.yaml"}


def test_a_record_moves_when_its_owner_gives_it_up(folder: Folder) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    folder.load()
    folder.write("a.yaml", policy("a", "other.example.net"))
    folder.write("b.yaml", policy("b", "a.example.net"))
    folder.load()
    assert sources(folder) == {"a": "a.yaml", "b": "b.yaml"}


def test_a_renamed_file_is_the_same_policy(folder: Folder) -> None:
    folder.write("a.yaml", policy("api")).rename(folder.root / "policies" / "z.yaml")
    folder.load()
    (folder.root / "policies" / "z.yaml").rename(folder.root / "policies" / "b.yaml")
    found = folder.load()
    assert (sources(folder), found.diagnostics) == ({"api": "b.yaml"}, ())
