"""Pure values and functions: what is known, what it means, what to do about it.

Nothing in here may read a clock, touch a socket, a file or the environment, or import a framework or an SDK.
Time comes in as an argument (seconds since the epoch, as a float); randomness and identifiers do too.
"""
