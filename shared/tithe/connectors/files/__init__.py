"""Files of other tools: read into rows of an import, written from rows of an export.

It happens on the user's side, in the command line and the client, row by row; the server knows JSON lines, CSV and
Parquet only. A format is a module of its own that says what it holds and what it loses (:mod:`.format`);
:mod:`.formats` lists them, :mod:`.tell` says which one a file is.
"""
