from kerastrash.cli import main

main("prune")
