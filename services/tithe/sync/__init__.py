"""Sync: a Celery worker on queue ``sync``. Carries labels between Tithe and the world outside it.

It makes passes over connections to labeling tools (:mod:`tithe.sync.passes`), and after every round it writes the
labels so far as a file, so that they are in two places.
"""
