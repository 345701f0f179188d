from kerastrash.cli import main

main("tune")
