"""Smaller and faster nets from trained ones: int8 by each runtime's own quantisation after training."""
