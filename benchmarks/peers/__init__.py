"""The contestants of ``selection.py``: each module maps the names of works to what it does for them.

``WORKS[name](case)`` prepares (imports, objects, nothing that depends on the pool's vectors) and returns a function
without arguments, which is what is timed: it goes from vectors to picks and returns positions in the pool.
"""
