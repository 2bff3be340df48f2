"""python -m pneumo_infer."""

from pneumo_infer.cli import main

main()
