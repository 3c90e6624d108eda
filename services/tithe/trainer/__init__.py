"""The trainer: a Celery worker on queue ``train``. Fits a round's model; never scores, never talks to labelers.

Run more than one only for more than one project at a time: a round is trained by one worker.
"""
