from kerastrash.cli import main

main("quantise")
