"""What the loop is worth: quality from a random slice, labels saved, when to stop, what may be left to the model.

Arrays in, figures out: no I/O, no clock, no global randomness.
"""
