"""`tithe connect …`: labeling tools, connected and looked after."""
