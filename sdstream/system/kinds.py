"""One row of a family's table: everything that a kind of source, engine or sink adds to the program.

A row names code as "module:name". The module is imported when the code is used: no kind loads another kind's library,
and a table costs nothing to read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar, get_args

from sdstream.config.base import Settings
from sdstream.errors import Bug, Unavailable


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of a family."""

    settings: type[Settings]
    """Its settings. Their `kind` names the row, their docstring is what the README says of it."""
    opener: str
    """Class or function that takes the settings and the family's context, and returns what `with` opens."""
    extra: str = ""
    """Extra of the package that brings the kind's libraries; empty when every installation has them."""
    listing: str = ""
    """Function that returns the kind's Endpoints on this machine; empty when there are none to find. A source's takes
    a Search, a sink's nothing."""
    checks: tuple[str, ...] = ()
    """Functions that each return a Finding, for `sdstream doctor`. Kinds may share a check; it runs once."""

    @property
    def name(self) -> str:
        """The value of `kind` in the configuration."""
        (name,) = get_args(self.settings.model_fields["kind"].annotation)
        return str(name)

    @property
    def summary(self) -> str:
        """One or two sentences for people."""
        return " ".join((self.settings.__doc__ or "").split())

    def load(self) -> Any:  # a class or a function: its family knows how to call it
        """Import and return the opener. Raises Unavailable when a library of `extra` is not installed."""
        try:
            return resolve(self.opener)
        except ModuleNotFoundError as error:
            if not self.extra or (error.name or "").startswith("sdstream"):
                raise
            raise Unavailable(
                f"kind {self.name} needs {error.name}, which is not installed: pip install 'sdstream[{self.extra}]', "
                "or choose another kind"
            ) from error


AnyKind = TypeVar("AnyKind", bound=Kind)


def kind_of(settings: Settings, kinds: Iterable[AnyKind]) -> AnyKind:
    """Return the row that serves `settings`."""
    for kind in kinds:
        if kind.settings is type(settings):
            return kind
    raise Bug(f"no row of the table serves {type(settings).__name__}")


def resolve(name: str) -> Any:  # whatever the row names
    """Import the module of "module:name" and return the named class or function."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
