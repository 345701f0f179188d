from kerastrash.cli import main

main("export")
