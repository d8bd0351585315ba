"""``python -m imagekit``"""

from imagekit.cli import main

if __name__ == "__main__":
    main()
