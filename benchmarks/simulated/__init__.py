"""Simulated projects whose truth is known: what figures about a running project are tried on."""
