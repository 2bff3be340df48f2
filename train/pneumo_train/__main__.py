"""python -m pneumo_train."""

from pneumo_train.cli import main

main()
