"""What the U-Net is shown: pairs of neighbouring cuttings under one noise and one prompt, and where each should go."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scripts.train.cache import SIDE, Cache
from scripts.train.crops import to_tensor
from scripts.train.levels import Levels
from scripts.train.light import relight

BLENDED, WEIGHTED, EMPTY, HALFWAY = 0.1, 0.1, 0.08, 0.15
"""Shares of the pairs: two prompts blended, words with weights, no prompt, and inputs that are partly styled."""

FIRST = 4
"""First of the 50 timesteps that training meets."""

FARTHEST = 12
"""Pixels that the second cutting of a moving pair lies away, at most."""

OTHERS, NEAR = 4, 6
"""Other looks of the same cutting that an answer is told apart from, besides the camera picture: half of them of the
NEAR most alike, half of all."""


@dataclass(frozen=True)
class Batch:
    """Rows [2 n, ...]; rows i and n + i have one prompt and one timestep. Pictures are [2 n, 3, h, w] in -1..1.

    With a `move` (down, right, in pixels) they show one scene, that far apart and in different light, and the noise
    stays in its place while the scene moves, as it does on air. Without one they show two scenes.
    """

    seen: Tensor
    """What the camera saw: a photo under some light, or one on its way to its look."""
    photo: Tensor
    look: Tensor
    """The two ends of the way."""
    others: Tensor
    """The camera picture, and other looks of the same cutting.  # uint8 [2 n, 1 + OTHERS, 3, h, w]"""
    plain: Tensor
    """1 where the prompt names one look, unweighted: only these are told apart from others.  # [2 n]"""
    reached: Tensor
    """How far `seen` is on its way."""
    prompted: Tensor
    """1, or 0 where the prompt is empty: there the picture should stay as it is."""
    tokens: Tensor
    level: Tensor
    noise: Tensor
    """Of the latents' size, which is an eighth of the pictures'."""
    move: tuple[int, int] | None
    latents: Tensor | None = None
    """What the noise is put on, where that is the model's own earlier answer; else `seen`, encoded."""

    def ahead(self, levels: Levels) -> Tensor:
        """How far on the way the answer should be: each step goes a share of what is left, by its timestep."""
        left = (1 - self.reached) * (1 - self.prompted * _column(levels.styled[self.level]))
        return 1 - left

    def target(self, levels: Levels) -> Tensor:
        """What should come out, as pictures."""
        return self.photo + self.ahead(levels) * (self.look - self.photo)

    def onward(self, answer: Tensor, levels: Levels, pairs: int) -> "Batch":
        """Return the first `pairs` pairs as they enter a later step, on top of the model's own answers."""
        half = len(self.seen) // 2
        chosen = torch.cat([torch.arange(pairs), half + torch.arange(pairs)]).to(self.seen.device)
        room = len(levels) - 1 - self.level[:pairs]
        later = self.level[:pairs] + 1 + (torch.rand(pairs, device=room.device) * room).long()
        fields = {
            name: getattr(self, name)[chosen]
            for name in ("seen", "photo", "look", "others", "plain", "prompted", "tokens")
        }
        return replace(
            self,
            reached=self.ahead(levels)[chosen],
            level=later.clamp(max=len(levels) - 1).repeat(2),
            noise=_noise(self.noise[chosen], self.move),
            latents=answer[chosen],
            **fields,
        )


def _noise(like: Tensor, move: tuple[int, int] | None) -> Tensor:
    noise = torch.randn_like(like)
    return noise if move is None else noise[: len(like) // 2].repeat(2, 1, 1, 1)


def _column(numbers: Tensor) -> Tensor:
    return numbers.view(-1, 1, 1, 1)


class Sampler:
    """Draws batches from painted targets and encoded prompts."""

    def __init__(self, cache: Cache, bank: Tensor, levels: Levels, channels: int, seed: int) -> None:
        self._cache = cache
        self._numbers = cache.ready(held_out=False)
        self._bank = bank  # [looks + 1, variants, length, width]
        self._levels = levels
        self._channels = channels
        self._dice = np.random.default_rng([5, seed])
        self._device = bank.device
        self._alike = self._most_alike()

    def _most_alike(self) -> np.ndarray:
        """Return the looks nearest to each look, by mean square.  # [looks, NEAR], numbered from 1"""
        few = self._cache.targets[self._numbers[:: max(1, len(self._numbers) // 32)], 1:, ::4, ::4].astype(np.float32)
        flat = few.swapaxes(0, 1).reshape(few.shape[1], -1) / 255
        squares = np.square(flat).sum(1)
        apart = squares[:, None] + squares[None] - 2 * flat @ flat.T
        return np.asarray(apart.argsort(axis=1)[:, 1 : 1 + NEAR] + 1)

    def _others(self, look: int) -> list[int]:
        alike = self._alike[look - 1]
        near = self._dice.permutation(alike)[: OTHERS // 2]
        far = [k for k in range(1, self._cache.targets.shape[1]) if k != look and k not in near]
        return [0, *near, *self._dice.permutation(far)[: OTHERS - len(near)]]

    def draw(self, pairs: int, side: int, *, moving: bool) -> Batch:
        """Draw pairs of cuttings, `side` pixels wide, of one scene that moves or of two."""
        most = min(FARTHEST, SIDE - side)
        down, right = (int(n) for n in self._dice.integers(-most, most + 1, 2))
        move = (down, right) if moving else None
        flipped = bool(self._dice.random() < 0.5)
        kinds = self._dice.integers(0, self._cache.targets.shape[1] - 1, (pairs, 2))
        photo, first, second, others = self._cut(kinds, side, move, flipped=flipped)
        share, amount, prompted, plain, tokens = self._ask(kinds)
        look = photo + amount * (share * first + (1 - share) * second - photo)
        start = self._columns(np.where(self._dice.random(pairs) < HALFWAY, self._dice.random(pairs), 0.0))
        # more of the noisier steps: they go further, and have more to learn
        level = (FIRST + (len(self._levels) - FIRST) * self._dice.random(pairs) ** 1.3).astype(np.int64)
        noise = torch.empty(2 * pairs, self._channels, side // 8, side // 8, device=self._device)
        move = (down, -right) if moving and flipped else move  # a mirrored scene moves the other way
        return Batch(
            seen=relight(photo, self._dice) + start * (look - photo), photo=photo, look=look, others=others,
            plain=plain, reached=start, prompted=prompted, tokens=tokens.repeat(2, 1, 1),
            level=torch.from_numpy(level).to(self._device).repeat(2), noise=_noise(noise, move), move=move,
        )  # fmt: skip

    def _cut(self, kinds: np.ndarray, side: int, move: tuple[int, int] | None, *, flipped: bool) -> list[Tensor]:
        """Cut photo, first and second look, and some others out, for both halves of the batch."""
        rows: list[list[np.ndarray]] = [[], [], [], []]
        here = self._scenes(len(kinds), side, move or (0, 0))
        there = self._scenes(len(kinds), side, (0, 0)) if move is None else here
        for scenes, (down, right) in ((here, (0, 0)), (there, move or (0, 0))):
            for (photo, top, left), (first, second) in zip(scenes, kinds, strict=True):
                whole = self._cache.targets[
                    photo, :, top + down : top + down + side, left + right : left + right + side
                ]
                whole = whole[:, :, ::-1] if flipped else whole
                rows[0].append(whole[0])
                rows[1].append(whole[1 + first])
                rows[2].append(whole[1 + second])
                rows[3].append(whole[self._others(int(first) + 1)])
        photo, first, second = (to_tensor(np.stack(row), self._device) for row in rows[:3])
        others = torch.from_numpy(np.stack(rows[3])).to(self._device).permute(0, 1, 4, 2, 3)
        return [photo, first, second, others]

    def _scenes(self, count: int, side: int, move: tuple[int, int]) -> list[tuple[int, int, int]]:
        """Choose photos, and a top left corner in each that leaves room for the move."""
        corners = [
            [int(self._dice.integers(max(0, -m), SIDE - side - max(0, m) + 1)) for m in move] for _ in range(count)
        ]
        return [(int(self._dice.choice(self._numbers)), top, left) for top, left in corners]

    def _ask(self, kinds: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Choose prompts: the first look's share, how far its words pull, if there are any, if plain, and tokens."""
        pairs = len(kinds)
        case = self._dice.random(pairs)
        blended, weighted = case < BLENDED, (case >= BLENDED) & (case < BLENDED + WEIGHTED)
        empty = case >= 1 - EMPTY
        share = np.where(blended, self._dice.random(pairs), 1.0)
        amount = np.where(weighted, self._dice.uniform(0.0, 1.4, pairs), 1.0)
        variants = self._dice.integers(0, self._bank.shape[1], (pairs, 2))
        nothing = self._bank[-1, 0]
        first, second = (self._bank[kinds[:, i], variants[:, i]] for i in range(2))
        weight = torch.from_numpy(share).float().to(self._device).view(-1, 1, 1)
        tokens = weight * first + (1 - weight) * second
        pull = torch.from_numpy(np.where(empty, 0.0, amount)).float().to(self._device).view(-1, 1, 1)
        tokens = nothing + pull * (tokens - nothing)
        plain = self._columns(~(blended | weighted | empty)).view(-1)
        return self._columns(share), self._columns(amount), self._columns(1.0 - empty), plain, tokens

    def _columns(self, numbers: np.ndarray) -> Tensor:
        column = torch.from_numpy(np.asarray(numbers, np.float32)).to(self._device)
        return column.repeat(2).view(-1, 1, 1, 1)
