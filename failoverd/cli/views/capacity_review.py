"""`failoverctl inventory`: what each region carries, and whether any of them can be lost."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from failoverd.api.client import ApiError
from failoverd.api.shapes import InventoryTold, LossTold, RegionRoomTold, ShortTold
from failoverd.cli.failing import OutputConsole, print_json, told
from failoverd.cli.options import Output
from failoverd.cli.screen import Printout, folded
from failoverd.cli.views.origin import found
from failoverd.core.records import WHOLE, few
from failoverd.telemetry import phrases

console = OutputConsole(highlight=False)

_NAMED: Final = 3
_LEAST: Final = 60
"""Columns below which a table is no table any more."""


def inventory(config: Path, output: Output) -> None:
    now = time.time()

    def read(_: ApiError) -> tuple[InventoryTold, float | None]:
        from failoverd.cli.views.from_journal import inventory_read
        from failoverd.config.loader import load_policies
        from failoverd.installed import kinds, read_config

        policies = load_policies(read_config(config), kinds(), running={}).policies
        return inventory_read(config, now, tuple(policies.values()))

    with told():
        answer = found(config, output, lambda client: client.inventory(), read)
        if output is Output.JSON:
            print_json(answer.plain())
        else:
            shown(answer.told, now, max(_LEAST, console.width)).show(console)


def shown(told: InventoryTold, now: float, width: int) -> Printout:
    """The answer first, then the regions as they are, then each loss."""
    page = Printout()
    short = told.normal.short or any(loss.short for loss in told.losses)
    style = "bold red" if told.normal.short else "bold yellow" if short or not told.normal.left else "bold green"
    for line in folded(told.headline, width, indent="  "):
        page.say_worded(line, style)
    page.say()
    for row in _table(list(_regions(told.regions, now)), width):
        page.say_worded(row)
    if told.losses:
        page.say()
        for row in _matrix(told.losses, [each.region for each in told.regions], width):
            page.say_worded(row)
    for loss in (told.normal, *told.losses):
        if loss.short:
            without = f"without {loss.lost}" if loss.lost else "on a normal day"
            for line in folded(f"{without}: {few(list(map(_short, loss.short)), _NAMED)}", width, indent="  "):
                page.say_worded(line, "yellow")
    if told.uncounted:
        page.say()
        names = few(list(told.uncounted), _NAMED)
        words = f"in no sum, for no demand is stated: {names}"
        for line in folded(words, width, indent="  "):
            page.say_worded(line, "dim")
    return page


def _short(each: ShortTold) -> str:
    goes = f", all of it on top of {each.excess_on}" if each.excess_on else ""
    return f"{each.policy} ({each.tier}) is short of {_number(each.short)} of {_number(each.demand)}{goes}"


def _regions(regions: Sequence[RegionRoomTold], now: float) -> Iterator[list[str]]:
    costs = any(each.cost_per_hour is not None for each in regions)
    practised = any(each.practised is not None for each in regions)
    head = ["region", "cloud", "law", "capacity", "load", "target", "room", "used"]
    yield [*head, *(["$/h"] if costs else []), *(["practised"] if practised else [])]
    for each in regions:
        capacity = None if each.capacity is None else each.capacity * each.headroom_bp / WHOLE
        used = "-" if not capacity or each.load is None else f"{each.load / capacity:.0%}"
        cells = [each.region, each.cloud or "-", each.jurisdiction or "-"]
        cells += [*map(_number, (capacity, each.load, each.target, each.left)), used]
        if costs:
            cells.append(_number(each.cost_per_hour))
        if practised:
            cells.append(f"{phrases.ago(now - each.practised)} ago" if each.practised is not None else "never")
        yield cells


_WORDS: Final = 3
"""Columns of text; those after it are numbers, and stand to the right."""


def _table(rows: Sequence[Sequence[str]], width: int, words: int = _WORDS) -> Iterator[str]:
    """As a table; where that is wider than the screen, each row as lines of its own."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) <= width:
        for row in rows:
            cells = (
                cell.ljust(wide) if index < words else cell.rjust(wide)
                for index, (cell, wide) in enumerate(zip(row, widths, strict=True))
            )
            yield "  ".join(cells).rstrip()
        return
    head, *rest = rows
    for row in rest:
        pairs = (f"{name} {cell}" for name, cell in zip(head[1:], row[1:], strict=True) if cell not in {"-", ""})
        yield from folded(f"{row[0]}: {', '.join(pairs)}", width, indent="  ")


def _matrix(losses: Sequence[LossTold], regions: Sequence[str], width: int) -> Iterator[str]:
    """Room that is left in each region, by what is lost."""
    rows = [["room left without", *regions, "short of"]]
    for loss in losses:
        left = ("-" if name in loss.regions else _number(loss.left.get(name)) for name in regions)
        rows.append([loss.lost, *left, _number(loss.total) if loss.short else "nobody"])
    yield from _table(rows, width, words=1)


def _number(value: float | None) -> str:
    """Not known is a dash."""
    return "-" if value is None else phrases.amount(value)
