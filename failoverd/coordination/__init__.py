"""Where the members of one installation agree who leads, and on what all of them know: one adapter for each engine."""
