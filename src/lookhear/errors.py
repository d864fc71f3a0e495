"""The one exception that is meant for the person at the terminal."""


class LookhearError(Exception):
    """Something the user can mend, said in one line: what, which file, what to do."""
