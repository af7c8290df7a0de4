"""`python -m gateway` is `brama`."""

from gateway.cli import main

main()
