"""`python -m thinslice` is the `thinslice` command."""

from thinslice.cli import main

main()
