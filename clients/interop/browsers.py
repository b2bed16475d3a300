"""Which browser there is."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


class Missing(Exception):
    """One line that says what to install."""


def find(asked):
    """The path of a Chromium: the one that was asked for, or whichever there is."""
    found = shutil.which(asked) if asked else next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise Missing("there is no Chromium here: install your system's package chromium, or name one with CHROMIUM=<path>.")
    return found
