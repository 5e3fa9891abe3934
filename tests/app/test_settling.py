"""Files that are looked at while somebody writes them: what has not come to rest is not taken up."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.files import CONFIG, INVENTORY, mount, policy
from support.reloading import Scene, playing

from failoverd.core.events import ConfigDeferred, ConfigRejected, PolicyRemoved
from failoverd.core.records import Policy

API = policy()
TWO_RECORDS = API.replace("regions:", "  - {name: v6.example.net, type: A, ttl: 30s, providers: [cloud]}\nregions:", 1)


CHECKS = "checks: {live: {look: /health}}\n"


async def looks(scene: Scene, times: int = 1) -> None:
    """What the daemon does at each of its looks, a second apart."""
    for _ in range(times):
        if await scene.reloader.changed():
            await scene.reloader.follow()


def running(scene: Scene, name: str = "api") -> Policy:
    return scene.runner.policies[name]


def regions(scene: Scene) -> list[str]:
    return [spec.name for spec in running(scene).regions]


def half(text: str, end: str) -> str:
    """The text as far as it was written when its writer paused."""
    return text[: text.index(end)]


async def started(scene: Scene, text: str = API) -> Path:
    path = scene.files.write("api.yaml", text)
    await scene.reloader.load()
    assert regions(scene) == ["east", "west"]
    return path


async def test_an_edit_is_taken_up_when_two_looks_agree(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        await started(scene)
        scene.files.write("api.yaml", policy(health="{fall: 5}"))
        await looks(scene)
        assert running(scene).health.fall != 5
        await looks(scene)
        assert running(scene).health.fall == 5
        assert not await scene.reloader.changed()


async def test_a_writer_who_goes_on_between_two_looks_is_waited_for(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        await started(scene)
        for fall in (5, 6, 7):
            scene.files.write("api.yaml", policy(health=f"{{fall: {fall}}}"))
            await looks(scene)
            assert running(scene).health.fall == 3
        await looks(scene)
        assert running(scene).health.fall == 7


@pytest.mark.parametrize("end", ["  west:", "  - {name: v6"], ids=["before a region", "before a record"])
async def test_half_a_file_whose_writer_pauses_for_a_second_is_never_what_runs(tmp_path: Path, end: str) -> None:
    """What two looks see is less than what runs: so a third one is waited for, and that sees the whole."""
    records = half(TWO_RECORDS, "regions:").removeprefix(half(API, "records:"))
    text = half(API, "records:") + "regions" + half(API, "checks:").partition("regions")[2] + CHECKS + records
    if end.startswith("  west"):
        text = CHECKS + half(TWO_RECORDS, "checks:")
    async with playing(tmp_path) as scene:
        await started(scene, text)
        before = running(scene)
        scene.files.write("api.yaml", half(text, end))
        await looks(scene, 2)
        assert running(scene) == before
        scene.files.write("api.yaml", text + "health: {fall: 5}\n")
        await looks(scene, 2)
        assert running(scene).health.fall == 5
        assert scene.told(ConfigRejected) == []


async def test_a_file_that_ends_in_the_middle_of_a_line_is_looked_at_once_more(tmp_path: Path) -> None:
    text = API + "owner: team-inference\n"
    async with playing(tmp_path) as scene:
        await started(scene, text)
        before = running(scene)
        scene.files.write("api.yaml", text.removesuffix("inference\n"))
        await looks(scene, 2)
        assert running(scene) == before
        await looks(scene)
        assert running(scene).owner == "team-"


async def test_a_region_that_was_taken_out_by_a_person_is_out_a_look_later(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        await started(scene)
        scene.files.write("api.yaml", API.replace("  west: {share: 30, endpoints: [198.51.100.1]}\n", ""))
        await looks(scene, 2)
        assert regions(scene) == ["east", "west"]
        await looks(scene)
        assert regions(scene) == ["east"]


async def test_a_file_that_never_comes_to_rest_is_taken_up_in_the_end_and_holds_up_no_other(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        scene.write("restless")
        await started(scene)
        scene.files.write("api.yaml", policy(health="{fall: 5}"))
        for number in range(40):
            scene.write("restless", health=f"{{fall: {number + 4}}}")
            await looks(scene)
        assert running(scene).health.fall == 5
        assert running(scene, "restless").health.fall > 4
        assert scene.told(ConfigRejected) == []


async def test_a_file_that_was_edited_after_the_look_is_not_read(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        await started(scene)
        scene.files.write("api.yaml", policy(health="{fall: 5}"))
        await looks(scene)
        assert await scene.reloader.changed()
        scene.files.write("api.yaml", half(API, "  west:"))
        await scene.reloader.follow()
        assert running(scene).health.fall == 3
        assert regions(scene) == ["east", "west"]


async def test_an_operator_who_asks_for_it_is_not_kept_waiting(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        await started(scene)
        scene.files.write("api.yaml", policy(health="{fall: 5}"))
        await scene.reloader.reload()
        assert running(scene).health.fall == 5
        assert not await scene.reloader.changed()


def tick(beside: Path) -> None:
    """Let the clock of the file system go on: it counts in steps of milliseconds."""
    beside.touch()
    begun = beside.stat().st_ctime_ns
    while beside.stat().st_ctime_ns == begun:
        beside.touch()


# -- swapped in as a whole ---------------------------------------------------------------------------------------------


async def test_a_config_map_is_taken_up_at_the_first_look(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        mount(scene.files, "2026_11_22", regions=INVENTORY, api=API)
        await scene.reloader.load()
        mount(scene.files, "2026_11_23", regions=INVENTORY, api=half(API, "  west:") + CHECKS)
        await looks(scene)
        assert regions(scene) == ["east"]


async def test_a_directory_that_is_renamed_into_its_place_is_taken_up_at_the_first_look(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        await started(scene)
        beside = tmp_path / "next"
        beside.mkdir()
        (beside / "regions.yaml").write_text(INVENTORY)
        (beside / "api.yaml").write_text(policy(health="{fall: 5}"))
        tick(tmp_path / "clock")
        (tmp_path / "policies").rename(tmp_path / "before")
        beside.rename(tmp_path / "policies")
        await looks(scene)
        assert running(scene).health.fall == 5


async def test_a_directory_that_is_made_anew_file_by_file_is_not(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        await started(scene)
        (tmp_path / "policies").rename(tmp_path / "before")
        (tmp_path / "policies").mkdir()
        scene.files.write("regions.yaml", INVENTORY)
        scene.files.write("api.yaml", half(API, "  west:"))
        await looks(scene, 2)
        assert regions(scene) == ["east", "west"]


# -- files that go and come --------------------------------------------------------------------------------------------


async def test_a_file_that_is_removed_and_written_again_was_never_gone(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        scene.write("other")
        path = await started(scene)
        path.unlink()
        await looks(scene, 2)
        scene.files.write("api.yaml", policy(health="{fall: 5}"))
        await looks(scene, 2)
        assert running(scene).health.fall == 5
        assert scene.told(PolicyRemoved) == []
        path.unlink()
        await looks(scene, 3)
        assert scene.told(PolicyRemoved) == ["api"]


async def test_a_policy_that_moves_to_another_file_goes_on(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        scene.write("other")
        path = await started(scene)
        path.rename(path.with_name("renamed.yaml"))
        await looks(scene, 4)
        assert Path(running(scene).source.file).name == "renamed.yaml"
        assert scene.told(PolicyRemoved) == []
        assert scene.told(ConfigRejected) == []


async def test_a_record_that_moves_to_another_policy_is_missed_by_nobody(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        scene.write("other")
        await started(scene, TWO_RECORDS)
        scene.files.write("api.yaml", API)
        moved = policy("other", "other.example.net").replace(
            "regions:", "  - {name: v6.example.net, type: A, ttl: 30s, providers: [cloud]}\nregions:", 1
        )
        scene.files.write("other.yaml", moved)
        await looks(scene, 4)
        assert [len(running(scene, name).records) for name in ("api", "other")] == [1, 2]
        assert scene.told(ConfigRejected) == []


async def test_a_new_file_is_taken_up_when_two_looks_agree(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        await started(scene)
        scene.write("new")
        await looks(scene)
        assert "new" not in scene.runner.policies
        await looks(scene)
        assert "new" in scene.runner.policies


# -- the other files ---------------------------------------------------------------------------------------------------


async def test_half_an_inventory_rejects_no_policy(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        await started(scene)
        scene.files.write("regions.yaml", half(INVENTORY, "  west:"))
        await looks(scene, 2)
        scene.files.write("regions.yaml", INVENTORY + "  spare: {cloud: aws}\n")
        await looks(scene, 2)
        assert scene.told(ConfigRejected) == []
        scene.files.write("regions.yaml", INVENTORY)
        await looks(scene, 3)
        assert not await scene.reloader.changed()


@pytest.mark.parametrize("write", [half, lambda text, _: text.replace("policies: policies", "policies: elsewhere")])
async def test_half_a_configuration_is_not_told(tmp_path: Path, write: Callable[[str, str], str]) -> None:
    async with playing(tmp_path) as scene:
        await started(scene)
        (tmp_path / "failoverd.yaml").write_text(write(CONFIG, "providers:"))
        await looks(scene)
        (tmp_path / "failoverd.yaml").write_text(CONFIG)
        await looks(scene, 3)
        assert scene.told(ConfigRejected) == []
        assert scene.stage.told(ConfigDeferred) == []
