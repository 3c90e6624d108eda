"""Readers of uploads: bytes in as they arrive, records out one by one, in bounded memory whatever comes.

A reader yields :class:`~tithe.gateway.readers.record.Record`, or in its place a
:class:`~tithe.gateway.readers.record.BadLine` where a line cannot be read, and goes on. It raises BrokenUpload where
the upload as a whole cannot be.
"""
