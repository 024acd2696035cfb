"""`python -m mailhost`: the same as the command `mailhost`."""

from mailhost.cli import main

if __name__ == "__main__":
    main(prog_name="mailhost")
