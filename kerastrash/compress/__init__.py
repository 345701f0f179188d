"""Smaller and faster nets from trained ones: distillation, structured pruning, int8."""
