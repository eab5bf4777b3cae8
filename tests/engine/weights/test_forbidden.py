"""A model in a folder of another user."""

from pathlib import Path

import pytest

from sdstream.engine.weights.files import locate
from sdstream.errors import Forbidden


def test_a_model_that_this_user_may_not_look_at_is_forbidden_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: bool) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(Forbidden, match="/srv/m"):
        locate("/srv/m", "model")
