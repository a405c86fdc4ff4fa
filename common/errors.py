"""Errors that are a user's to mend: shown as one line, never as a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Bad input (option, file, message): the text says what is wrong, where, and how to mend it.

    The command line prints it on one line and exits with code 2.
    """
