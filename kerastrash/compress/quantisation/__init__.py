"""int8 files by each runtime's own quantisation, judged by F1."""
