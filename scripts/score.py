from kerastrash.cli import main

main("score")
