"""Encoders of any model: texts in, vectors and word states out. Each file is imported when it is asked for."""
