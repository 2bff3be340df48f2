"""Run the services with `python -m pneumo_infer.serve`."""

from pneumo_infer.serve.cli import main

main()
