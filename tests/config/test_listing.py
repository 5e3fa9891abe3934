import os
from pathlib import Path

from support.files import INVENTORY, Folder, mount, policy

from failoverd.config.listing import stamps


def seen(folder: Folder) -> object:
    config = folder.config
    return stamps((config.file, config.inventory, config.policies))


def test_it_is_the_same_while_nothing_changes(folder: Folder) -> None:
    folder.write("a.yaml", policy())
    assert seen(folder) == seen(folder)


def test_an_edit_a_new_file_and_a_removed_one_change_it(folder: Folder) -> None:
    states = [seen(folder)]
    path = folder.write("a.yaml", policy())
    states.append(seen(folder))
    folder.write("a.yaml", policy("other"))
    states.append(seen(folder))
    folder.write("regions.yaml", INVENTORY + "# edited\n")
    states.append(seen(folder))
    path.unlink()
    states.append(seen(folder))
    assert len(set(map(repr, states))) == len(states)


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_changes_it(folder: Folder) -> None:
    path = folder.write("a.yaml", policy("one"))
    before, times = seen(folder), path.stat()
    other = folder.root / "other"
    other.write_text(policy("two"))
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    assert seen(folder) != before


def test_a_file_that_may_be_read_again_changes_it(folder: Folder) -> None:
    path = folder.write("a.yaml", policy())
    path.chmod(0o000)
    before = seen(folder)
    path.chmod(0o644)
    assert seen(folder) != before


def test_hidden_files_and_others_that_are_not_read_do_not_change_it(folder: Folder) -> None:
    before = seen(folder)
    folder.write(".a.yaml.swp", "editing")
    folder.write("notes.txt", "hello")
    assert seen(folder) == before


def test_what_is_not_there_changes_it_when_it_appears(tmp_path: Path) -> None:
    before = stamps([tmp_path / "regions.yaml"])
    (tmp_path / "regions.yaml").write_text("")
    assert stamps([tmp_path / "regions.yaml"]) != before


def test_a_config_map_is_read_through_its_links_and_its_swap_is_seen(folder: Folder) -> None:
    mount(folder, "2026_11_22", regions=INVENTORY, api=policy())
    before = seen(folder)
    assert list(folder.load().policies) == ["api"]
    mount(folder, "2026_11_23", regions=INVENTORY, api=policy(health="{fall: 9}"))
    assert seen(folder) != before
    assert folder.load().policies["api"].health.fall == 9
