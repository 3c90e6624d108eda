"""The verbs more than one service speaks: admit items, hand out, record answers, turn rounds.

Each takes a Database or a Unit and ids; none knows Celery or HTTP.
"""
