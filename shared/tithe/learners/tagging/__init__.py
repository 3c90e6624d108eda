"""Entities in texts: words, tags, and the model that tells one from the other."""
