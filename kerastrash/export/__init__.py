"""The formats that devices run: written, opened, and each checked against the model it came from."""
