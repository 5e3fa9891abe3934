"""Names as Route 53 writes them, and the order in which it lists them."""


def absolute(name: str) -> str:
    """With the final dot, as Route 53 returns it."""
    return f"{name}."


def order(name: str) -> str:
    r"""What Route 53 sorts record sets by: the labels reversed, each with its dot ("ListResourceRecordSets").

    A name sorts right before everything below it, except that a marker comes after children which begin with a digit or
    a hyphen. Octets outside of a-z, 0-9, hyphen and underscore come escaped (`\052`), in their old place or behind it.
    """
    return ".".join(reversed(name.removesuffix(".").split("."))) + "."
