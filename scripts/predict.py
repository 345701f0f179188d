from kerastrash.cli import main

main("predict")
