"""`python -m failoverd` is `failoverd`."""

from failoverd.cli.daemon import main

main()
