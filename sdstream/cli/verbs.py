"""A tree of verbs whose help is whole: click would cut the summary of a verb at the width of the terminal."""

from typing import Any

from typer.core import TyperGroup

_WHOLE = 10_000
"""Characters of a summary at most."""


class Verbs(TyperGroup):
    """Lists each verb with the whole first sentence of its help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # click's types: typer has a click of its own by now
        """Write a row for each verb; the formatter breaks long lines."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, verb.get_short_help_str(_WHOLE)) for name, verb in found if verb and not verb.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
