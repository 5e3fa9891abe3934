"""The shell around the core: it probes, waits, reads, writes and records; it decides nothing.

Modules here talk to the world through `failoverd.ports` only. They know no provider, no probe kind and no file format.
"""
