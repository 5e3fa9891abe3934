"""`failoverctl`: what the operator can ask and do.

Half of the time of a command passes in loading what understands it. What stops everything does not wait for that.
"""

import sys

from failoverd.cli.loading import seldom_search
from failoverd.cli.streams import ready
from failoverd.cli.urgent import sent_ahead


def main() -> None:
    seldom_search()
    answer()


def answer() -> None:
    """What is asked in `sys.argv`, in a process that may have more to do."""
    ready()
    with sent_ahead(sys.argv[1:]) as key:
        _asked(key)


def _asked(key: str) -> None:
    from failoverd.cli.command_line import app
    from failoverd.cli.options import hush_libraries

    hush_libraries()
    try:
        app(obj=key)
    except OSError as error:  # verbs tell theirs: what is left is that --help cannot be printed
        from failoverd.cli.failing import not_printed

        sys.exit(not_printed(error))


if __name__ == "__main__":
    main()
