"""``python -m lookhear``."""

from lookhear.cli import main

main()
