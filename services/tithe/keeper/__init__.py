"""The keeper: rings what waits, takes back what lapsed, clears what is gone.

Any number may run: rows are shared out by locks, every step is idempotent. Without a keeper labels are still taken and
handed out; only new work waits.
"""
