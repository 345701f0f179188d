from kerastrash.cli import main

main("prepare")
