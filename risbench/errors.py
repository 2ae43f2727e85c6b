"""The exceptions of risbench. Each message is one line that names the fault, its place and the next step."""

from .plain import visible


class RisbenchError(Exception):
    """The work failed through data, files or a method; the command line prints the text and exits with 1."""

    def __str__(self) -> str:
        # Texts quote keys and names of strange files: none of them breaks the line or reaches the terminal as a code.
        return visible(super().__str__())


class DataError(RisbenchError):
    """A file or folder is missing, broken or of the wrong kind."""


class MaskError(RisbenchError):
    """A mask, heat, run-length code, point or box cannot be scored."""


class UsageError(RisbenchError):
    """The command or call was wrong (an unknown name, an option that does not fit); exits with 2."""


class DataWarning(UserWarning):
    """Data can be used but differ from those of the literature: a partial copy, other counts, a skipped image."""


TRACEBACK = "RISBENCH_TRACEBACK"  # if this environment variable is set, errors are shown with their traceback
