"""A row in the table of a family: everything added to the program by a kind of source, engine or sink.

A row names code as "module:name". The module is imported when the code is used, so reading a table is cheap,
and a kind never loads the libraries of a different kind.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar, get_args

from sdstream.config.base import Settings
from sdstream.errors import Bug, Unavailable
from sdstream.system import installation


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of a family."""

    settings: type[Settings]
    """Settings of the kind. The field `kind` names the row; the docstring is the text in docs/guide.md."""
    opener: str
    """Class or function that takes the settings and the family's context, and returns a context manager."""
    extra: str = ""
    """Extra of the package with the kind's libraries; empty when every installation has the libraries."""
    listing: str = ""
    """Function that returns the kind's Endpoints on this machine; empty when there is nothing to find. The function
    of a source takes a Search; the function of a sink takes no argument."""
    checks: tuple[str, ...] = ()
    """Functions returning a Finding, for `sdstream doctor`. A check shared by several kinds runs once."""

    @property
    def name(self) -> str:
        """The value of `kind` in the configuration."""
        (name,) = get_args(self.settings.model_fields["kind"].annotation)
        return str(name)

    @property
    def summary(self) -> str:
        """The docstring of the settings on a single line, for people."""
        return " ".join((self.settings.__doc__ or "").split())

    def load(self) -> Any:  # a class or a function: the family knows the arguments
        """Import and return the opener. Raises Unavailable when a library of `extra` is not installed."""
        try:
            return resolve(self.opener)
        except ModuleNotFoundError as error:
            if not self.extra or (error.name or "").startswith("sdstream"):
                raise
            raise Unavailable(
                f"kind {self.name} needs {error.name}; install the library: {installation.extra_line(self.extra)}, "
                "or choose a different kind"
            ) from error

    def require(self) -> None:
        """Raise Unavailable when a library of `extra` is not installed; quick, because nothing is imported."""
        if self.extra:
            installation.require(self.extra, f"kind {self.name}")


AnyKind = TypeVar("AnyKind", bound=Kind)


def kind_of(settings: Settings, kinds: Iterable[AnyKind]) -> AnyKind:
    """Return the row for `settings`. Raises Bug when the table has no such row."""
    for kind in kinds:
        if kind.settings is type(settings):
            return kind
    raise Bug(f"no row of the table is for {type(settings).__name__}")


def resolve(name: str) -> Any:  # a class or a function
    """Import the module of "module:name" and return the named class or function."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
