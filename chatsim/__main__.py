"""``python -m chatsim`` is ``chatsim``."""

from chatsim.cli import main

main(prog_name="chatsim")
