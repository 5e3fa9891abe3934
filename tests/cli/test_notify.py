"""`failoverctl notify test`: what each receiver answered, and what to do about one that did not take it."""

import json
from pathlib import Path

import pytest
from clouds.hook import TOKEN, Hook
from clouds.serving import Response, serving
from support.commands import CONFIG, answered, written


def configured(folder: Path, **receivers: str) -> Path:
    said = "".join(f"  {name}: {{{receiver}}}\n" for name, receiver in receivers.items())
    return written(folder / "etc", config=f"{CONFIG}notify:\n{said}" if said else CONFIG)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


async def test_each_address_is_named_with_what_it_answered(tmp_path: Path, token_file: Path) -> None:
    well, ill = Hook(TOKEN), Hook()
    ill.answers = Response(302, b"", {"location": "https://elsewhere.example"})
    with serving(well) as one, serving(ill) as other:
        config = configured(
            tmp_path,
            well=f'webhook: "{one.url}", token_file: {token_file}, level: error, only: [nothing]',
            ill=f'alertmanager: ["{other.url}", "{one.url}"], token_file: {token_file}',
        )
        done = await answered("notify", "test", "--config", config, columns=200)
        assert done.code == 1
        assert "3 addresses: 1 did not take a test" in done.said
        assert f"well (webhook, {one.url[7:]}): taken, trigger 204, resolve 204" in done.said
        assert (
            f"ill (alertmanager, {other.url[7:]}): not taken: ill {other.url[7:]} answers with a redirect" in done.said
        )
        assert "remedy: write the address that it really has" in done.said
        assert TOKEN not in done.said

        ill.answers = None
        again = await answered("notify", "test", "ill", "--config", config, "--output", "json")
    assert again.code == 0
    found = json.loads(again.out)
    assert [(each["receiver"], each["trigger"], each["resolve"], each["fine"]) for each in found] == [
        ("ill", "204", "204", True)
    ] * 2


async def test_a_secret_that_is_not_there_is_told_with_its_file(tmp_path: Path) -> None:
    with serving(Hook()) as running:
        config = configured(tmp_path, desk=f'webhook: "{running.url}", token_file: {tmp_path}/none')
        done = await answered("notify", "test", "--config", config, columns=200)
    assert done.code == 1
    assert f"the secret file {tmp_path}/none cannot be read: No such file or directory (secret_unreadable)" in done.said


async def test_a_receiver_that_is_not_there_is_a_slip_of_the_keyboard(tmp_path: Path) -> None:
    config = configured(tmp_path, pager="webhook: 'http://127.0.0.1:9'")
    done = await answered("notify", "test", "pagr", "--config", config)
    assert done.code == 2
    assert 'did you mean "pager"?' in " ".join(done.said.split())


async def test_without_any_receiver_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = await answered("notify", "test", "--config", configured(tmp_path))
    assert done.code == 1
    assert "names nobody who is told of troubles (no_receivers)" in done.said
    assert "docs/notifications.md" in done.said
