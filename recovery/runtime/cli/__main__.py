"""``python -m recovery.runtime.cli``: the command line without an installed script."""

from recovery.runtime.cli import main

main()
