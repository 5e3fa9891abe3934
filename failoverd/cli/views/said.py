"""`failoverctl overrides`: what operators said."""

import time
from pathlib import Path

from failoverd.api.shapes import WordsTold
from failoverd.cli.failing import OutputConsole, print_json, told
from failoverd.cli.options import Output
from failoverd.cli.views.origin import found
from failoverd.cli.words.showing import show_words

console = OutputConsole(highlight=False)


def overrides(config: Path, output: Output, *, verbose: bool) -> None:
    now = time.time()

    def read(_: object) -> tuple[WordsTold, float | None]:
        from failoverd.cli.views.from_journal import words_read

        return words_read(config, now)

    with told():
        answer = found(config, output, lambda client: client.words(), read)
        if output is Output.JSON:
            print_json(answer.plain())
        else:
            show_words(console, answer.told, now, verbose=verbose)
