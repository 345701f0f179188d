from kerastrash.cli import main

main("train")
