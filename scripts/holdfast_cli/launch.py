"""Runs the tool with the interpreter of `.tools/`, which the first run makes. Only the standard library, and any Python 3."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from holdfast_cli.core import interpreter


def main(arguments: list[str]) -> int:
    folder = interpreter.folder(os.environ)
    try:
        interpreter.install(folder, "cli", lambda text: print(text, file=sys.stderr, flush=True))
    except interpreter.CannotInstall as trouble:
        if arguments[:1] != ["doctor"] or sys.version_info < interpreter.PYTHON_AT_LEAST:
            print(trouble, file=sys.stderr)
            return trouble.code
        # It needs nothing that is installed: it says what else is missing, at once.
        from holdfast_cli.local import doctor

        return doctor.main(arguments[1:], str(trouble))
    except KeyboardInterrupt:
        print("Interrupted: the same command continues from here.", file=sys.stderr)
        return 130
    command = [str(folder / "bin" / "python"), "-X", "utf8"]
    return os.execve(command[0], [*command, str(Path(__file__).with_name("__main__.py")), *arguments], {**os.environ, "PYTHONUTF8": "1"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
