"""`python -m local` is `make run`; nothing else lives here, because worker processes skip a `__main__` module."""

from local.run import main

if __name__ == "__main__":
    main()
