"""`python -m sdstream` is `sdstream`."""

from sdstream.cli import main

if __name__ == "__main__":
    main()
