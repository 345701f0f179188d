from kerastrash.cli import main

main("benchmark")
