"""The pure core: arrays of the candidates in, scores (higher = more worth asking) or positions in the candidates out.

``uncertainty``, ``committee`` and ``binary_committee`` score rows of probabilities, ``sequence`` and
``sequence_committee`` texts whose words are tagged; ``coverage``, ``herding``, ``prob_cover``, ``medoids`` and
``stages`` choose among vectors; ``badge``, ``falcun``, ``cluster_margin``,
``uncertain_centers`` and ``variance`` ask a model too. ``ranking`` is the product's one order of scored items,
``sieves`` says what a shard keeps, and ``catalog`` names them all. NumPy and the standard library only; no model, no
I/O, no global randomness, and no argument is ever written to.
"""
