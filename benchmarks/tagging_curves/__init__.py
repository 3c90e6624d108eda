"""Learning curves of entities: the product's tagger and the product's choosing, in memory."""
