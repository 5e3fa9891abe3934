"""docs/performance.md: every benchmark replaces its own part and keeps the others'."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    """A module of bench/, which is no package that tests can import."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", ROOT / "bench" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = script("pages")
FIRST, SECOND, *OTHERS = pages.ORDER


def test_each_keeps_what_the_other_wrote(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    pages.replace(page, FIRST, "# How fast\n\nold\n")
    pages.replace(page, SECOND, "# How many\n")
    pages.replace(page, FIRST, "# How fast\n\nnew\n")
    text = page.read_text()
    assert "new" in text
    assert "old" not in text
    assert text.index("# How fast") < text.index("# How many")


def test_the_order_is_that_of_the_page_whoever_comes_first() -> None:
    text = pages.replaced("", SECOND, "many")
    assert pages.replaced(text, FIRST, "fast") == pages.replaced(pages.replaced("", FIRST, "fast"), SECOND, "many")


def test_writing_the_same_again_changes_nothing() -> None:
    text = pages.replaced(pages.replaced("", FIRST, "fast"), SECOND, "many")
    assert pages.replaced(text, SECOND, "many") == text


def test_a_page_from_before_there_were_parts_belongs_to_the_first() -> None:
    assert "old words" in pages.replaced("old words\n", SECOND, "many")
    assert "old words" not in pages.replaced("old words\n", FIRST, "fast")


def test_whoever_comes_later_finds_its_place_among_the_others() -> None:
    text = ""
    for author in reversed(pages.ORDER):
        text = pages.replaced(text, author, f"# By {author}")
    assert [text.index(f"# By {author}\n") for author in pages.ORDER] == sorted(
        text.index(f"# By {author}\n") for author in pages.ORDER
    )
    assert pages.replaced(text, OTHERS[0], "# Anew").count("# By ") == len(pages.ORDER) - 1


def test_whoever_writes_a_part_is_a_script_that_make_runs() -> None:
    made = (ROOT / "Makefile").read_text()
    line = next(line for line in made.splitlines() if line.startswith("BENCHES := "))
    assert [f"bench/{name}.py" for name in line.removeprefix("BENCHES := ").split()] == list(pages.ORDER)
    assert all((ROOT / author).is_file() for author in pages.ORDER)


def test_a_part_that_nobody_writes_is_not_thrown_away() -> None:
    with pytest.raises(ValueError, match=r"bench/other\.py"):
        pages.replaced("<!-- written by bench/other.py -->\nwords\n", FIRST, "fast")


def test_the_page_names_every_benchmark_that_writes_it() -> None:
    """Run `make bench` to mend it."""
    text = (ROOT / "docs" / "performance.md").read_text()
    assert [text.index(f"written by {author} ") for author in pages.ORDER]


# -- the least that a cloud allows -------------------------------------------------------------------------------------

least = script("least")


@pytest.mark.parametrize(
    ("records", "answer", "marker", "reads", "writes"),
    [
        (1, 10, 43, 2, 1),
        (250, 10, 43, 4, 1),  # 1,000 elements are 250 records
        (251, 10, 43, 4, 2),
        (1_000, 10, 43, 14, 4),
        (1_000, 39, 121, 14, 10),  # 32,000 characters are 100 such records
    ],
)
def test_the_least_at_route53(records: int, answer: int, marker: int, reads: int, writes: int) -> None:
    found = least.route53(records, least.Content(answer, marker))
    assert (found.reads, found.writes, found.total) == (reads, writes, reads + writes)


def test_an_update_is_one_message() -> None:
    assert least.dns_update(1_000, octets=300).writes == 5
