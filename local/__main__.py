"""`python -m local` is `make run`. It only calls local/run.py, because worker processes do not import `__main__`."""

import sys

if __name__ == "__main__":
    try:
        from local.run import main
    except KeyboardInterrupt:  # during the import
        sys.exit(130)
    main()
