"""What `launch.py` runs, with the interpreter of `.tools/`."""

import sys
from pathlib import Path

# The folder `scripts`, in place of this file's own: modules are imported as holdfast_cli.<group>.<module> only.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from holdfast_cli.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
