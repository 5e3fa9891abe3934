"""How hard Hypothesis looks: a little in every run, and for longer where FAILOVERD_SOAK says by which factor."""

import os

from hypothesis import settings

SOAK = int(os.environ.get("FAILOVERD_SOAK", "1"))

settings.register_profile("failoverd", deadline=None, max_examples=100 * SOAK)
settings.load_profile("failoverd")
