from kerastrash.cli import main

main("adjust")
