"""The scorer: a Celery worker on queue ``score``. Encodes blocks, scores shards, selects the ready queue.

Scales sideways: start as many as there are cores or machines that reach the artifact store.
"""
