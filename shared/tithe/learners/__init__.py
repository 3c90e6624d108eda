"""Encoders that turn texts into vectors, and learners that turn labeled vectors into calibrated probabilities.

The registry imports an encoder or a learner only when it is asked for by name, so that a process that trains nothing
pays nothing. Nothing in here reads a database or a file of the artifact store: arrays in, arrays out.
"""
