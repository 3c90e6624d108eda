"""The prover: measures every round's model on the control arm, and says what the loop is worth.

Nobody waits for it: it works after a round's queue is served.
"""
