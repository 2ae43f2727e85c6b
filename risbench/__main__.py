"""``python -m risbench``, and so ``torchrun -m risbench``."""

from .cli import main

if __name__ == "__main__":
    main()
