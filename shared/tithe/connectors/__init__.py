"""Connectors: other people's labeling tools, behind one protocol.

A connector is a pure mapping and a thin client. It knows its tool and nothing of Tithe's rows: `tithe.sync` drives it,
one pass at a time, over the same leases and answers that the HTTP interface uses. Connectors do not know one another.
"""
