"""Run the command line with `python -m pneumo_export`."""

from pneumo_export.cli import main

main()
