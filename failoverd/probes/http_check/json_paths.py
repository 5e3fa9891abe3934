"""JSON paths (RFC 9535) that take time in proportion to what they are followed in: those that search are refused."""

from functools import lru_cache
from typing import Final

import jsonpath
from jsonpath.filter import FilterQuery, walk
from jsonpath.segments import JSONPathRecursiveDescentSegment
from jsonpath.selectors import Filter

from failoverd.probes.findings import printable


class _Paths(jsonpath.JSONPathEnvironment):
    """RFC 9535 without its functions: match() and search() take patterns that backtrack."""

    def setup_function_extensions(self) -> None:
        self.function_extensions.clear()


_paths: Final = _Paths(strict=True)


@lru_cache(maxsize=256)
def json_path(text: str) -> jsonpath.JSONPath:
    """A JSON path of names, indexes, slices, wildcards and comparing filters. Raises ValueError for any other."""
    try:
        found = _paths.compile(text)
    except jsonpath.JSONPathError as error:
        words = printable(str(error.args[0] if error.args else error))
        raise ValueError(f'{text[:80]!r} is not a JSON path such as "$.queue.depth": {words}') from None
    except RecursionError:
        raise ValueError("this JSON path is nested too deeply") from None
    except (ArithmeticError, ValueError) as error:  # a number in a filter that no float can hold
        raise ValueError(f"{text[:80]!r} is no JSON path: {printable(str(error))}") from None
    if not isinstance(found, jsonpath.JSONPath):
        raise ValueError(f"{text[:80]!r} is more than one JSON path: give each a line of its own")  # noqa: TRY004
    _refuse_slow(found, text)
    return found


def _refuse_slow(found: jsonpath.JSONPath, text: str) -> None:
    for segment in found.segments:
        if isinstance(segment, JSONPathRecursiveDescentSegment):
            raise ValueError(f'{text[:80]!r} searches everything: write the path in full, without ".."')  # noqa: TRY004
        if len(segment.selectors) > 1:
            raise ValueError(f"{text[:80]!r} selects several things at once: give each a line of its own")
        for selector in segment.selectors:
            if isinstance(selector, Filter) and not all(map(_is_singular, walk(selector.expression))):
                raise ValueError(f'{text[:80]!r} has a filter that searches: compare single values, as in "@.name"')


def _is_singular(node: object) -> bool:
    return not isinstance(node, FilterQuery) or node.path.singular_query()
