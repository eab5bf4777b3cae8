"""The two attentions against what diffusers does, and against the paper's formula written out."""

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor

from sdstream.engine.conditioning.condition import Embedding
from sdstream.engine.eager.attention import (
    CacheKey,
    FrameAttention,
    Layer,
    PromptAttention,
    PromptCache,
    Scenes,
    make_processors,
)
from sdstream.errors import Unavailable

HEADS, TOKENS, DIM = 2, 5, 16


def ignore(rows: list[tuple[float, ...]]) -> None:
    """There are no LoRAs."""


@pytest.fixture
def self_attention() -> Attention:
    torch.manual_seed(0)
    return Attention(query_dim=DIM, heads=HEADS, dim_head=DIM // HEADS).eval()


@pytest.fixture
def cross_attention() -> Attention:
    torch.manual_seed(0)
    return Attention(query_dim=DIM, cross_attention_dim=12, heads=HEADS, dim_head=DIM // HEADS).eval()


def hidden(rows: int) -> Tensor:
    return torch.randn(rows, TOKENS, DIM, generator=torch.Generator().manual_seed(1))


def by_the_paper(attn: Attention, x: Tensor, row: int, others: list[int]) -> Tensor:
    """Softmax(Q K_batch^T / sqrt(d)) V_batch of section 3.2, head by head."""
    q, k, v = attn.to_q(x[row]), attn.to_k(x[others]).flatten(0, 1), attn.to_v(x[others]).flatten(0, 1)
    heads = []
    for h in range(HEADS):
        part = slice(h * DIM // HEADS, (h + 1) * DIM // HEADS)
        scores = q[:, part] @ k[:, part].T / (DIM // HEADS) ** 0.5
        heads.append(torch.softmax(scores, -1) @ v[:, part])
    return attn.to_out[0](torch.cat(heads, -1))


@torch.no_grad()
@pytest.mark.parametrize(
    "groups",
    [
        ((0, 1, 2), (3,), (4,), (5,)),
        ((0, 2, 3), (1,), (4, 5)),  # rows of a scene need not lie side by side
        ((0, 5), (1, 3), (2,), (4,)),
        ((0, 1, 2, 3, 4, 5),),
    ],
)
def test_rows_of_one_scene_attend_to_each_other_and_no_others(self_attention, groups):
    x = hidden(6)
    scenes = Scenes()
    scenes.select(groups)
    result = FrameAttention(scenes)(self_attention, x)
    seen = [next(list(group) for group in groups if row in group) for row in range(6)]
    for row, others in enumerate(seen):
        torch.testing.assert_close(result[row], by_the_paper(self_attention, x, row, others), atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_a_row_that_overflowed_spoils_no_row_of_the_scene(self_attention, wrong):
    scenes = Scenes()
    scenes.select(((0, 1, 2),))
    x = hidden(3)
    x[1, 2] = wrong
    result = FrameAttention(scenes)(self_attention, x)
    assert torch.isfinite(result[[0, 2]]).all()


@torch.no_grad()
@pytest.mark.parametrize("groups", [(), ((0,), (1,), (2,), (3,))])
def test_self_attention_without_scenes_is_diffusers_own(self_attention, groups):
    x = hidden(4)
    alone = Scenes()
    alone.select(groups)
    expected = AttnProcessor2_0()(self_attention, x)
    torch.testing.assert_close(FrameAttention(alone)(self_attention, x), expected)


def plain(embeddings: list[Embedding]) -> list[CacheKey]:
    return [(embedding, ()) for embedding in embeddings]


def cached(attn: Attention, x: Tensor, embeddings: list[Embedding]) -> Tensor:
    layer = Layer(attn)
    PromptCache([layer], ignore).select(plain(embeddings))
    return PromptAttention(layer)(attn, x)


@torch.no_grad()
@pytest.mark.parametrize("rows", [[0, 0, 0], [0, 1, 0], [2, 1, 0]])
def test_kept_keys_and_values_give_what_fresh_ones_give(cross_attention, rows):
    prompts = [Embedding(torch.randn(7, 12, generator=torch.Generator().manual_seed(i))) for i in range(3)]
    chosen = [prompts[row] for row in rows]
    expected = AttnProcessor2_0()(cross_attention, hidden(3), torch.stack([e.tokens for e in chosen]))
    torch.testing.assert_close(cached(cross_attention, hidden(3), chosen), expected)


@torch.no_grad()
def test_each_prompt_is_projected_once_under_each_lora_weight(cross_attention):
    projected, told = [], []
    cross_attention.to_k.register_forward_hook(lambda *_: projected.append(told[-1]))
    cache = PromptCache([Layer(cross_attention)], told.append)
    a, b = Embedding(torch.ones(7, 12)), Embedding(torch.zeros(7, 12))
    for rows in ([a, a], [a, a], [b, a], [b, b], [a, b]):
        cache.select([(embedding, (0.5,)) for embedding in rows])
    assert projected == [[(0.5,)]] * 2
    cache.select([(a, (0.7,)), (a, (0.5,))])
    assert projected == [[(0.5,)], [(0.5,)], [(0.7,)]]


@torch.no_grad()
def test_the_prompt_cache_forgets_old_prompts_but_none_in_use(cross_attention):
    layer = Layer(cross_attention)
    cache = PromptCache([layer], ignore, keep=2)
    prompts = plain([Embedding(torch.full((7, 12), float(i))) for i in range(50)])
    for i in range(1, 48):
        cache.select([prompts[0], *prompts[i : i + 3]])
    assert set(layer.cached) == {prompts[0], *prompts[45:50]}


def test_an_attention_of_another_kind_is_refused_by_name():
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel(
        block_out_channels=(8, 8),
        norm_num_groups=4,
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=4,
        down_block_types=("AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    with pytest.raises(Unavailable, match=r"down_blocks\.0"):
        make_processors(unet, prompt_cache=True, adapt=ignore)
