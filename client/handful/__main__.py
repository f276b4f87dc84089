"""python -m handful: the same as the console script."""

from handful.commands.app import main

main()
