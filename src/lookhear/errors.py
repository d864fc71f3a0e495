"""The one exception that is meant for the person at the terminal."""


class LookhearError(Exception):
    """Something the user can mend, said in one line: what, which file, what to do."""


def one_line(error: BaseException) -> str:
    """What an error of another library says, in the first words of it."""
    return " ".join(str(error).split()[:25]) or type(error).__name__
