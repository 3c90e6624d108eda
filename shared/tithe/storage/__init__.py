"""Postgres: the only truth. The only package that speaks psycopg and pgvector.

SQL stands in ``sql/*.sql``, one named query under each ``-- name:`` line with the reason for its shape; a module per
aggregate gives the queries typed names. A function takes the :class:`~tithe.storage.database.Unit` (one transaction)
first, and its docstring says what the caller may rely on.
"""
