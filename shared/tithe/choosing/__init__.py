"""From scored rows to an ordered queue: what shards keep, how it is merged, how strategies share a queue.

Arrays and models in, ordinals with reasons out: no rows of a database, no messages. The services call it, and so can
whatever replays a loop.
"""
