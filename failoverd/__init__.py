"""failoverd moves weighted DNS away from a failing region by reviewed policy, and back when it is safe."""

from importlib.metadata import version

__version__ = version("failoverd")
