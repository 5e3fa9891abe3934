"""failoverd moves weighted DNS away from a failing region by reviewed policy, and back when it is safe."""


def __getattr__(name: str) -> str:
    """`__version__`, looked up when somebody asks: it takes longer than all of `--help`."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - the same reason

        return version("failoverd")
    raise AttributeError(f"module 'failoverd' has no attribute {name!r}")
