"""`python -m molfound` is the command line."""

from molfound.cli import main

if __name__ == "__main__":
    main()
