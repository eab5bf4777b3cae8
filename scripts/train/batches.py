"""What the U-Net is shown: pairs of neighbouring cuttings under one noise and one prompt, and where each should go."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scripts.train.latents import Latents, Levels

BLENDED, WEIGHTED, EMPTY, HALFWAY = 0.12, 0.12, 0.1, 0.2
"""Shares of the pairs: two prompts blended, words with weights, no prompt, and inputs that are partly styled."""

FIRST = 6
"""First of the 50 timesteps that training meets."""


@dataclass(frozen=True)
class Batch:
    """Rows [2 n, ...]; rows i and n + i have one prompt and one timestep.

    With a `move` (down, right) they show one scene, that many latents apart, and the noise stays in its place while
    the scene moves, as it does on air. Without one they show two.
    """

    clean: Tensor
    """What the noise is put on: a photo, or one on its way to its look."""
    photo: Tensor
    look: Tensor
    """The two ends of the way."""
    reached: Tensor
    """How far `clean` is on it."""
    prompted: Tensor
    """1, or 0 where the prompt is empty: there the picture should stay as it is."""
    tokens: Tensor
    level: Tensor
    noise: Tensor
    move: tuple[int, int] | None

    def ahead(self, levels: Levels) -> Tensor:
        """How far on the way the answer should be: each step goes a share of what is left, by its timestep."""
        left = (1 - self.reached) * (1 - self.prompted * _column(levels.styled[self.level]))
        return 1 - left

    def noisy(self, levels: Levels) -> Tensor:
        """The U-Net's input."""
        return _column(levels.signal[self.level]) * self.clean + _column(levels.noise[self.level]) * self.noise

    def target(self, levels: Levels) -> Tensor:
        """What should come out."""
        return self.photo + self.ahead(levels) * (self.look - self.photo)

    def onward(self, answer: Tensor, levels: Levels, pairs: int) -> "Batch":
        """Return the first `pairs` pairs as they enter a later step, on top of the model's own answers."""
        half = len(self.clean) // 2
        chosen = torch.cat([torch.arange(pairs), half + torch.arange(pairs)]).to(self.clean.device)
        room = len(levels) - 1 - self.level[:pairs]
        later = self.level[:pairs] + 1 + (torch.rand(pairs, device=room.device) * room).long()
        fields = {name: getattr(self, name)[chosen] for name in ("photo", "look", "prompted", "tokens")}
        return replace(
            self,
            clean=answer[chosen],
            reached=self.ahead(levels)[chosen],
            level=later.clamp(max=len(levels) - 1).repeat(2),
            noise=_noise(self.noise[chosen], self.move),
            **fields,
        )


def _noise(like: Tensor, move: tuple[int, int] | None) -> Tensor:
    noise = torch.randn_like(like)
    return noise if move is None else noise[: len(like) // 2].repeat(2, 1, 1, 1)


def _column(numbers: Tensor) -> Tensor:
    return numbers.view(-1, 1, 1, 1)


class Sampler:
    """Draws batches from latents and encoded prompts."""

    def __init__(self, latents: Latents, bank: Tensor, levels: Levels, seed: int) -> None:
        self._latents = latents
        self._bank = bank  # [looks + 1, variants, length, width]
        self._levels = levels
        self._dice = np.random.default_rng([5, seed])
        self._device = bank.device

    def draw(self, pairs: int, side: int, *, moving: bool) -> Batch:
        """Draw pairs of cuttings, `side` latents wide, of one scene that moves or of two."""
        most = min(3, self._latents.photos.shape[-1] - side)
        down, right = (int(n) for n in self._dice.integers(-most, most + 1, 2))
        move = (down, right) if moving else None
        kinds = self._dice.integers(0, self._latents.looks.shape[1], (pairs, 2))
        seen, photo, first, second = self._cut(kinds, side, move)
        share, amount, prompted, tokens = self._ask(kinds)
        look = photo + amount * (share * first + (1 - share) * second - photo)
        start = self._columns(np.where(self._dice.random(pairs) < HALFWAY, self._dice.random(pairs), 0.0))
        # the very noisiest timesteps leave nothing to learn from, and few shows start there
        level = (FIRST + (len(self._levels) - FIRST) * self._dice.random(pairs) ** 0.9).astype(np.int64)
        return Batch(
            clean=seen + start * (look - seen), photo=photo, look=look, reached=start, prompted=prompted,
            tokens=tokens.repeat(2, 1, 1), level=torch.from_numpy(level).to(self._device).repeat(2),
            noise=_noise(photo, move), move=move,
        )  # fmt: skip

    def _cut(self, kinds: np.ndarray, side: int, move: tuple[int, int] | None) -> list[Tensor]:
        """Cut photo as seen (under some light), photo, first and second look out, for both halves of the batch."""
        rows: list[list[Tensor]] = [[], [], [], []]
        here = self._scenes(len(kinds), side, move or (0, 0))
        there = self._scenes(len(kinds), side, (0, 0)) if move is None else here
        for scenes, (down, right) in ((here, (0, 0)), (there, move or (0, 0))):
            for (photo, top, left), (first, second) in zip(scenes, kinds, strict=True):
                part = np.s_[:, top + down : top + down + side, left + right : left + right + side]
                light = int(self._dice.integers(self._latents.photos.shape[1]))
                rows[0].append(self._latents.photos[photo, light][part])
                rows[1].append(self._latents.photos[photo, 0][part])
                rows[2].append(self._latents.looks[photo, first][part])
                rows[3].append(self._latents.looks[photo, second][part])
        return [torch.stack(row).to(self._device).float() for row in rows]

    def _scenes(self, count: int, side: int, move: tuple[int, int]) -> list[tuple[int, int, int]]:
        """Choose photos, and a top left corner in each that leaves room for the move."""
        whole = self._latents.photos.shape[-1]
        corners = [
            [int(self._dice.integers(max(0, -m), whole - side - max(0, m) + 1)) for m in move] for _ in range(count)
        ]
        return [(int(self._dice.integers(self._latents.count)), top, left) for top, left in corners]

    def _ask(self, kinds: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Choose prompts: the first look's share, how far its words pull, whether there are any, and the tokens."""
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
        return self._columns(share), self._columns(amount), self._columns(1.0 - empty), tokens

    def _columns(self, numbers: np.ndarray) -> Tensor:
        column = torch.from_numpy(np.asarray(numbers, np.float32)).to(self._device)
        return column.repeat(2).view(-1, 1, 1, 1)
