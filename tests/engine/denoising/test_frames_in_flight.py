"""A frame in flight carries what is read later, and a broken frame spoils no other."""

import numpy as np
import pytest

from sdstream.controls import Controls
from tests.engine.pixel_engine import ALWAYS, feed, picture


def test_a_camera_picture_that_nobody_reads_is_not_kept(engine):
    feed(engine, [picture(1)], Controls(steps=(30,), **ALWAYS))
    assert engine.last.camera.size == 0


def test_a_change_of_steps_decodes_only_the_picture_that_is_shown(engine, monkeypatch):
    decoded = []
    decode = engine.session.autoencoder.to_picture
    monkeypatch.setattr(engine.session.autoencoder, "to_picture", lambda x: decoded.append(1) or decode(x))
    feed(engine, map(picture, range(6)), Controls(steps=(10, 20, 30, 40), **ALWAYS))
    decoded.clear()
    assert engine(picture(7), Controls(steps=(30, 40), **ALWAYS)) is not None
    assert engine.last.seq == 6
    assert len(decoded) == 1


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
@pytest.mark.parametrize("steps", [(30,), (10, 20, 30)])
def test_a_latent_that_overflowed_spoils_its_own_picture_alone(engine, monkeypatch, steps, wrong):
    encode = engine.session.autoencoder.to_latent
    broken = iter([False, False, True] + [False] * 20)
    monkeypatch.setattr(
        engine.session.autoencoder, "to_latent", lambda p: encode(p) * wrong if next(broken) else encode(p)
    )
    show = Controls(steps=steps, cross_frame_attention=True, guidance="none", **ALWAYS)
    pictures = [np.full((64, 64, 3), 90 + k, np.uint8) for k in range(10)]
    outputs = [frame for frame in feed(engine, pictures, show) if frame is not None] + engine.flush()
    assert len(outputs) == 10
    assert all(len(np.unique(frame)) > 8 for k, frame in enumerate(outputs) if k != 2)
