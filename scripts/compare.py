from kerastrash.cli import main

main("compare")
