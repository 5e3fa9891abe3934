"""failoverd with a check table of `bench.loners`: `python -m bench.lone_daemon run --config FILE`."""

from unittest.mock import patch

from bench.loners import Loners
from failoverd import app
from failoverd.cli.daemon import main

if __name__ == "__main__":
    with patch.object(app, "HealthTable", Loners):
        main()
