"""Every error that leaves a room of sdstream, with the exit status.

    SdstreamError            70  (never raised itself)
    ├── ConfigError          78  the configuration is wrong: the user edits it
    ├── Unavailable          69  a device, runtime, model or stream is missing: the user installs or starts it
    ├── Forbidden            77  a device, file or port exists, but this user may not use it
    ├── Lost                 75  a publisher, server or device went away, or has not come yet: try again
    └── Bug                  70  sdstream itself is wrong

A message says what failed and with which value, what was expected, and the next command to type. Errors outside this
tree stay inside one room (`Ended` in sources, `Gone` in the preview, `YamlError` in config).
"""


class SdstreamError(Exception):
    """Base of the tree; `exit_code` follows sysexits.h."""

    exit_code = 70


class ConfigError(SdstreamError):
    """The configuration is wrong. The message holds every mistake, each on a line."""

    exit_code = 78


class Unavailable(SdstreamError):
    """A device, runtime, model or stream of the configuration is missing."""

    exit_code = 69


class Forbidden(SdstreamError):
    """A device, file or port exists, but this user may not use it."""

    exit_code = 77


class Lost(SdstreamError):
    """A publisher, server or device went away, or has not come yet; the stage tries again."""

    exit_code = 75


class Bug(SdstreamError):
    """A promise between two parts of sdstream was broken."""


def reason(error: BaseException, *, named: bool = False) -> str:
    """Return the first line of the text of a library's error, or the error's type if the text is empty.

    `named` puts the type in front: for errors of any origin, whose text alone says too little.
    """
    name, text = type(error).__name__, str(error).strip()
    if not text:
        return name
    first = text.splitlines()[0]
    return f"{name}: {first}" if named else first
