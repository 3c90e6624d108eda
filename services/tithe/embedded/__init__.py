"""The whole stack on one machine: real Postgres with pgvector, a real Redis-compatible server, and every Tithe service.

`stack.Stack` is the door. It takes a data folder, starts the two servers out of their wheels and the services beside
them as child processes, restarts what dies, and leaves nothing running when it ends: not on Ctrl-C, not when it is
itself killed with -9. The data folder holds everything that must survive, so the next start resumes where this one
stopped.

Queue: none. Scaling: one stack per data folder, `scorers` processes wide. It never talks SQL beyond creating the
database, never reads `TITHE_` settings (whoever composes the process passes them in), and is no part of a production
deployment, where these servers live elsewhere.

Rooms: `launch` becomes the child; `process`, `child` and `supervisor` keep children alive and end them; `postgres` and
`valkey` know one server each; `services` lists Tithe's own processes; `folder`, `state` and `ports` are what a data
folder remembers; `stack` puts them together.
"""
