"""The two ways in which a verb ends badly."""


class Refused(Exception):
    """Something the operator has to change; one line, exit code 2."""


class Failed(Exception):
    """A failure of the command: one line (and perhaps a log), exit code 1."""
