"""Batches for the U-Net: pairs of neighbouring crops with the same noise and the same prompt, and the targets."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scripts.train.cache import SIDE, Cache
from scripts.train.crops import to_tensor
from scripts.train.levels import Levels
from scripts.train.light import relight

BLENDED, WEIGHTED, EMPTY, HALFWAY = 0.1, 0.1, 0.08, 0.15
"""Shares of the pairs: two prompts blended, words with weights, no prompt, and partly styled inputs."""

FIRST = 4
"""Index of the first of the 50 timesteps in training."""

FARTHEST = 12
"""Largest distance of the two crops of a moving pair, pixels."""

OTHERS, NEAR = 4, 6
"""Number of wrong looks of the same crop for the contrast loss, besides the camera picture: half of the NEAR most
similar looks, half of all looks."""


@dataclass(frozen=True)
class Batch:
    """Rows [2 n, ...]; rows i and n + i have the same prompt and timestep. Pictures are [2 n, 3, h, w] in -1..1.

    With a `move` (down, right, in pixels) the two rows of a pair show the same scene, `move` apart and in different
    light. The noise does not move with the scene: on air the noise stands still as well. Without `move` the two rows
    show two scenes.
    """

    seen: Tensor
    """The input: a photo under changed light, or a partly styled photo."""
    photo: Tensor
    """The photo: progress 0."""
    look: Tensor
    """The photo in the look of the prompt: progress 1."""
    others: Tensor
    """The camera picture, and wrong looks of the same crop.  # uint8 [2 n, 1 + OTHERS, 3, h, w]"""
    plain: Tensor
    """1 for a prompt with a single, unweighted look: only such rows enter the contrast loss.  # [2 n]"""
    reached: Tensor
    """Progress of `seen` from photo to look, 0 to 1.  # [2 n, 1, 1, 1]"""
    prompted: Tensor
    """0 for an empty prompt (the picture should not change), else 1.  # [2 n, 1, 1, 1]"""
    tokens: Tensor
    """Encoded prompts.  # [2 n, length, width]"""
    level: Tensor
    """Indices of the timesteps.  # [2 n]"""
    noise: Tensor
    """Noise for the latents, at an eighth of the pictures' size.  # [2 n, channels, h / 8, w / 8]"""
    move: tuple[int, int] | None
    latents: Tensor | None = None
    """The model's earlier answers, as the latents to add noise to; None for the encoded `seen`."""

    def progress(self, levels: Levels) -> Tensor:
        """Return the progress of the target: a step covers a share, set by the timestep, of the remaining way."""
        left = (1 - self.reached) * (1 - self.prompted * _column(levels.styled[self.level]))
        return 1 - left

    def target(self, levels: Levels) -> Tensor:
        """Return the target pictures.  # [2 n, 3, h, w]"""
        return self.photo + self.progress(levels) * (self.look - self.photo)

    def next_step(self, answer: Tensor, levels: Levels, pairs: int) -> "Batch":
        """Return the first `pairs` pairs as inputs of a later step, with the model's answers as latents."""
        half = len(self.seen) // 2
        chosen = torch.cat([torch.arange(pairs), half + torch.arange(pairs)]).to(self.seen.device)
        left = len(levels) - 1 - self.level[:pairs]
        later = self.level[:pairs] + 1 + (torch.rand(pairs, device=left.device) * left).long()
        fields = {
            name: getattr(self, name)[chosen]
            for name in ("seen", "photo", "look", "others", "plain", "prompted", "tokens")
        }
        return replace(
            self,
            reached=self.progress(levels)[chosen],
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
        self._rng = np.random.default_rng([5, seed])
        self._device = bank.device
        self._alike = self._most_alike()

    def _most_alike(self) -> np.ndarray:
        """Return the looks most similar to each look, by mean square.  # [looks, NEAR], numbered from 1"""
        few = self._cache.targets[self._numbers[:: max(1, len(self._numbers) // 32)], 1:, ::4, ::4].astype(np.float32)
        flat = few.swapaxes(0, 1).reshape(few.shape[1], -1) / 255
        squares = np.square(flat).sum(1)
        apart = squares[:, None] + squares[None] - 2 * flat @ flat.T
        return np.asarray(apart.argsort(axis=1)[:, 1 : 1 + NEAR] + 1)

    def _others(self, look: int) -> list[int]:
        alike = self._alike[look - 1]
        near = self._rng.permutation(alike)[: OTHERS // 2]
        far = [k for k in range(1, self._cache.targets.shape[1]) if k != look and k not in near]
        return [0, *near, *self._rng.permutation(far)[: OTHERS - len(near)]]

    def draw(self, pairs: int, side: int, *, moving: bool) -> Batch:
        """Draw pairs of crops, `side` pixels wide, of a moving scene or of two scenes."""
        most = min(FARTHEST, SIDE - side)
        down, right = (int(n) for n in self._rng.integers(-most, most + 1, 2))
        move = (down, right) if moving else None
        flipped = bool(self._rng.random() < 0.5)
        kinds = self._rng.integers(0, self._cache.targets.shape[1] - 1, (pairs, 2))
        photo, first, second, others = self._cut(kinds, side, move, flipped=flipped)
        share, amount, prompted, plain, tokens = self._prompts(kinds)
        look = photo + amount * (share * first + (1 - share) * second - photo)
        start = self._columns(np.where(self._rng.random(pairs) < HALFWAY, self._rng.random(pairs), 0.0))
        # A noisier step covers more of the way and has more to learn, so noisier steps are drawn more often.
        level = (FIRST + (len(self._levels) - FIRST) * self._rng.random(pairs) ** 1.3).astype(np.int64)
        noise = torch.empty(2 * pairs, self._channels, side // 8, side // 8, device=self._device)
        move = (down, -right) if moving and flipped else move  # a mirrored scene moves the other way
        return Batch(
            seen=relight(photo, self._rng) + start * (look - photo), photo=photo, look=look, others=others,
            plain=plain, reached=start, prompted=prompted, tokens=tokens.repeat(2, 1, 1),
            level=torch.from_numpy(level).to(self._device).repeat(2), noise=_noise(noise, move), move=move,
        )  # fmt: skip

    def _cut(self, kinds: np.ndarray, side: int, move: tuple[int, int] | None, *, flipped: bool) -> list[Tensor]:
        """Cut out photo, first and second look, and some wrong looks, for both halves of the batch."""
        rows: list[list[np.ndarray]] = [[], [], [], []]
        here = self._scenes(len(kinds), side, move or (0, 0))
        there = self._scenes(len(kinds), side, (0, 0)) if move is None else here
        for scenes, (down, right) in ((here, (0, 0)), (there, move or (0, 0))):
            for (photo, top, left), (first, second) in zip(scenes, kinds, strict=True):
                crops = self._cache.targets[
                    photo, :, top + down : top + down + side, left + right : left + right + side
                ]
                crops = crops[:, :, ::-1] if flipped else crops
                rows[0].append(crops[0])
                rows[1].append(crops[1 + first])
                rows[2].append(crops[1 + second])
                rows[3].append(crops[self._others(int(first) + 1)])
        photo, first, second = (to_tensor(np.stack(row), self._device) for row in rows[:3])
        others = torch.from_numpy(np.stack(rows[3])).to(self._device).permute(0, 1, 4, 2, 3)
        return [photo, first, second, others]

    def _scenes(self, count: int, side: int, move: tuple[int, int]) -> list[tuple[int, int, int]]:
        """Choose photos and top left corners, such that the moved crop still lies inside the photo."""
        corners = [
            [int(self._rng.integers(max(0, -m), SIDE - side - max(0, m) + 1)) for m in move] for _ in range(count)
        ]
        return [(int(self._rng.choice(self._numbers)), top, left) for top, left in corners]

    def _prompts(self, kinds: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Choose prompts. Return the first look's share, the weight of the words, `prompted`, `plain`, and tokens."""
        pairs = len(kinds)
        case = self._rng.random(pairs)
        blended, weighted = case < BLENDED, (case >= BLENDED) & (case < BLENDED + WEIGHTED)
        empty = case >= 1 - EMPTY
        share = np.where(blended, self._rng.random(pairs), 1.0)
        amount = np.where(weighted, self._rng.uniform(0.0, 1.4, pairs), 1.0)
        variants = self._rng.integers(0, self._bank.shape[1], (pairs, 2))
        unprompted = self._bank[-1, 0]  # [length, width]
        first, second = (self._bank[kinds[:, i], variants[:, i]] for i in range(2))
        weight = torch.from_numpy(share).float().to(self._device).view(-1, 1, 1)
        tokens = weight * first + (1 - weight) * second
        pull = torch.from_numpy(np.where(empty, 0.0, amount)).float().to(self._device).view(-1, 1, 1)
        tokens = unprompted + pull * (tokens - unprompted)
        plain = self._columns(~(blended | weighted | empty)).view(-1)
        return self._columns(share), self._columns(amount), self._columns(1.0 - empty), plain, tokens

    def _columns(self, numbers: np.ndarray) -> Tensor:
        column = torch.from_numpy(np.asarray(numbers, np.float32)).to(self._device)
        return column.repeat(2).view(-1, 1, 1, 1)
