"""Conversations with a DNS server that are signed with TSIG: questions, transfers and updates (RFC 2136, RFC 8945).

What the kinds of provider that speak DNS to their server have in common: where it is, the key and its file, the wire,
and what each failure means. What stands in a record, and how it is fenced, is the business of each kind.
"""
