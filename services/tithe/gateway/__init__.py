"""The gateway: the HTTP interface, and the only process that people's programs talk to.

Queue: none; it never touches the broker. A route checks, speaks one verb of `tithe.loop` or reads, and answers; work
leaves as rows, in the transaction of whatever caused it. Scaling: any number side by side, nothing is kept in memory
between two requests. It never loads a learning library: predictions are one matrix product over what a scorer
encoded.

Rooms: `app` puts the rest together; `problems` renders every error, `guards` stands before the routes; `projects`,
`items` (with `intake` and `readers`), `batches`, `predict`, `insight` and `export` are the routes under /v1; `health`
and `metrics` are for whoever operates it, `docs` for whoever reads.
"""
