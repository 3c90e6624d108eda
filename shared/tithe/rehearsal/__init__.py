"""Rehearsal: the loop replayed on labeled data, in memory, before anybody is paid to label.

It chooses, fits and measures with the functions that the services run; only the database and the people are left out.
"""
