"""Many files of many formats, timed in turns: each open in a process of its own."""
