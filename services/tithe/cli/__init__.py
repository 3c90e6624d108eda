"""The command line: `tithe up`, `tithe demo`, and one command for whatever the HTTP interface offers.

Commands import what they need when they run: `tithe --help` answers at once.
"""
