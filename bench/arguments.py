"""The command line that benchmarks have in common."""

import argparse
from collections.abc import Callable
from pathlib import Path


def parser(name: str, text: str) -> argparse.ArgumentParser:
    """A parser whose help is the docstring `text`, with `--output` and `--write`."""
    what, _, usage = text.partition("\n\n")
    found = argparse.ArgumentParser(
        prog=name, description=what, epilog=usage, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--output", choices=("text", "json"), default="text", help="json prints everything raw")
    found.add_argument("--write", type=Path, metavar="FILE", help="write its part of docs/performance.md")
    return found


def number(least: int, most: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        if not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text} is no number from {least} to {most}")
        return int(text)

    return parse
