"""failoverd with a check table of `bench.loners`: `python -m bench.lone_daemon run --config FILE`."""

from unittest.mock import patch

from bench.loners import Loners
from failoverd.cli.daemon import main
from failoverd.runtime import engine

if __name__ == "__main__":
    with patch.object(engine, "HealthTable", Loners):
        main()
