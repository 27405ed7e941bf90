"""`python -m local` is `make run`; nothing else lives here, because worker processes skip a `__main__` module."""

import sys

if __name__ == "__main__":
    try:
        from local.run import main
    except KeyboardInterrupt:  # while it still loads
        sys.exit(130)
    main()
