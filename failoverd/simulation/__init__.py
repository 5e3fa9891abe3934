"""The whole controller on a virtual clock, with the world on paper around it."""
