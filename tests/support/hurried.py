"""failoverd in a hurry: `python -m support.hurried SECONDS run --config FILE`.

What a person did by hand is kept for so many seconds, and not for half an hour, so that a test sees its end.
"""

import sys

from failoverd.cli.daemon import main
from failoverd.core.control import by_hand

if __name__ == "__main__":
    kept = float(sys.argv[1])
    vars(by_hand).update(BY_HAND=kept, SETTLES=kept / 10)
    sys.argv[1:] = sys.argv[2:]
    main()
