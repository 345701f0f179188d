"""Structured pruning: channels followed through the graph, ranked, removed."""
