"""``python -m hotswap``."""

from hotswap.cli import main

if __name__ == "__main__":
    main()
