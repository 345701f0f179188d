from kerastrash.cli import main

main("check")
