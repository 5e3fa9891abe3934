"""Where things are unless somebody says it. Imports nothing."""

from typing import Final

CONFIG: Final = "/etc/failoverd/failoverd.yaml"
CONFIG_VARIABLE: Final = "FAILOVERD_CONFIG"
