"""A small net trained on what larger ones say."""
