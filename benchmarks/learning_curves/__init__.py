"""Learning curves in memory: sets, contestants, the loop without its servers, tables and a picture."""
