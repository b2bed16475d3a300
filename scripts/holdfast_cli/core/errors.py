"""The two ways in which a verb ends badly."""


class Refused(Exception):
    """Something the operator has to change; one line, exit code 2."""


class Failed(Exception):
    """Something that went wrong on the way; one line (and perhaps a log), exit code 1."""
