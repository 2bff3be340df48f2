"""Run the command line with `python -m pneumo_infer`."""

from pneumo_infer.cli.main import main

main()
