"""The contest's recipe: losses, schedule, metrics, and a fit that survives a kill."""
