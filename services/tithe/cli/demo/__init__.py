"""`tithe demo`: the whole loop on real reviews, with people who are threads, measured against choosing at random.

Rooms: `command` (from beginning to end) and `loop` (the stages), `data` (the reviews), `annotators` and `ledger` (who
answers, and what they saw), `kill`, `random_baseline` (the comparison), `memory`, `board` and `watch` (the screen),
`report` and `plot` (what is left of it).
"""
