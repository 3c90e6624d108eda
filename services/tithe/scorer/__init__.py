"""The scorer: a Celery worker on queues ``score`` and, when that is empty, ``embed``.

Scores shards, selects the ready queue, predicts texts, encodes blocks.

Scales sideways: start as many as there are cores or machines that reach the artifact store.
"""
