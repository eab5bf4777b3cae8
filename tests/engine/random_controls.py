"""Random controls, of every kind at once."""

import random

from sdstream.controls import Controls


def random_controls(dice: random.Random) -> Controls:
    """Return controls in which every field was drawn by `dice`. The engine needs a LoRA named `a`."""
    words = ["oil", "(ink:1.4)", "[night]", "ערב", "((((", "a:b", "🎨", ""]
    prompt = lambda: " ".join(dice.choices(words, k=dice.randint(0, 30)))  # noqa: E731 - three uses, one line
    several = tuple({"text": prompt(), "weight": dice.uniform(0.1, 2)} for _ in range(dice.randint(1, 3)))
    return Controls(
        prompt=dice.choice([prompt(), several]),
        negative_prompt=prompt(),
        blend=dice.choice(["linear", "slerp"]),
        seed=dice.choice([dice.randrange(1000), ({"seed": dice.randrange(9)}, {"seed": 20, "weight": 0.3})]),
        seed_blend=dice.choice(["linear", "slerp"]),
        steps=tuple(sorted(dice.sample(range(50), dice.randint(1, 4)))),
        renoise=dice.random() < 0.5,
        guidance={
            "mode": dice.choice(["none", "full", "self_negative", "onetime_negative"]),
            "scale": dice.uniform(0, 3),
            "delta": dice.uniform(0, 1.5),
        },
        cross_frame_attention=dice.random() < 0.5,
        transition=dice.choice([0.0, 0.0, 0.5]),
        loras={"a": dice.choice([0.0, dice.uniform(-1, 1)])},
        similarity={"mode": dice.choice(["stochastic", "threshold", "off"])},
    )
