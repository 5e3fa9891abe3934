"""What providers share, whatever their kind.

`account` makes the calls of a cloud, `bucket` and `throttling` say when, `batching` makes one of many. `sets` is what
every kind refuses to publish.
"""
