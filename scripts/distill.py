from kerastrash.cli import main

main("distill")
