"""Celery and the broker. The only package that speaks celery and redis.

A message only says "look at this row". The broker may be wiped at any moment: the keeper rings again.
"""
