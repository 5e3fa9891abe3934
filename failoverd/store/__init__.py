"""The journal: what happened, on disk (SQLite). The daemon and `failoverctl apply` write, `failoverctl` reads.

Nothing here decides anything: losing the journal loses history, never traffic. No secret may come in here; plans and
events hold none.
"""
