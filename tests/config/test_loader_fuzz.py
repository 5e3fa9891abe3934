"""Whatever a file holds, loading it ends soon, says what is wrong with it, and neither raises nor stumbles.

A failure names its seed. FAILOVERD_SOAK=n plays n times as many: 20,000 in `make soak`.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.alarms import within
from support.fuzzing import SOAK, damaged_once
from support.manual import ESTATES, REAL_KINDS

from failoverd.config.diagnostics import Code
from failoverd.config.loader import load_config, load_paths, load_policies

PARTS = 4
FILES = 400 // PARTS * SOAK
"""In each part: parts are played in parallel."""

PATIENCE = 10.0
"""Seconds: far more than any file takes on a busy machine."""

PIECES = [
    b"", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\t", b"\n", b"- ", b": ", b"? ", b"| ", b"> ", b"&a ", b"*a ",
    b"!!python/object ", b"[" * 40, b"{" * 40, b"'", b'"', b"#", b"%YAML 1.1\n", b"---\n", b"...\n", b"<<: ",
    b"0" * 400, b"-0x1", b".inf", b".nan", b"1e999", b"9" * 5_000, b"~", b"null", b"\xe2\x80\xa8", b"\xed\xa0\x80",
    b"\x1b[2J", b'"\\e[2J"', b"(a+)+$", b"$..*[?(@.a)]", b"198.51.100.1", b"::", b"0s", b"-1%", b"*.", b"99999999d",
]  # fmt: skip
"""What YAML, numbers, times, names, patterns and paths have trouble with."""


@contextmanager
def soon(seed: int) -> Iterator[None]:
    """Names the seed of whatever goes wrong, or does not end."""
    try:
        with within(PATIENCE):
            yield
    except Exception as failure:
        failure.add_note(f"seed {seed}")
        raise


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_a_file_holds_it_is_loaded_or_told(tmp_path: Path, part: int) -> None:
    configs = {name: estate.installed(tmp_path / name) for name, estate in ESTATES.items()}
    whole = {(name, file): file.read_bytes() for name, estate in sorted(ESTATES.items()) for file in estate.files}
    for path in (configs["policies"].parent / "policies").glob("*.yaml"):
        if path.name != "regions.yaml":
            path.unlink()  # one policy at a time: the others have nothing in common, and would only take their time
    found = Counter[Code]()
    for seed in range(part, PARTS * FILES, PARTS):
        luck = random.Random(seed)  # noqa: S311 - a script, no secret
        name, file = luck.choice(sorted(whole))
        wrong = ESTATES[name].place(file, configs[name])
        right = wrong.read_bytes() if wrong.exists() else None
        with soon(seed):
            wrong.write_bytes(damaged_once(whole[name, file], luck, list(whole.values()), PIECES))
            loaded = load_config(configs[name], REAL_KINDS)
            diagnostics = list(loaded.diagnostics)
            if loaded.config is not None:
                diagnostics += load_policies(loaded.config, REAL_KINDS, running={}).diagnostics
            diagnostics += load_paths([configs[name].parent / "policies"], REAL_KINDS).diagnostics  # what is in common
            for diagnostic in diagnostics:
                assert diagnostic.render()
                assert diagnostic.plain()
            found.update(diagnostic.code for diagnostic in diagnostics)
            assert found[Code.DEFECT] == 0, diagnostics
        if right is not None:
            wrong.write_bytes(right)
        else:
            wrong.unlink()
    assert len(found) > 5
