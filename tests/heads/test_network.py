"""The two halves of the network: shapes, padding, gradients, and the inputs of each part."""

from __future__ import annotations

import pytest
import torch
from made_up_batches import HEADS, SMALL, inputs, network, small
from pydantic import ValidationError

from rdmf_cli.heads.learned.config import SCALES, ModelConfig
from rdmf_cli.heads.learned.fusions import FUSIONS
from rdmf_cli.heads.learned.torch.batch import collate
from rdmf_cli.heads.learned.torch.decoder import LEAST_SPAN
from rdmf_cli.heads.learned.torch.network import Network, choose_slots
from rdmf_cli.training.hyperparameters import Hyperparameters
from rdmf_cli.training.losses import losses
from rdmf_cli.training.targets import Target, collate_targets


def answered(made: Network, batch):
    """Return all outputs of the network."""
    fused = made.fuse(batch)
    slots, real = choose_slots(made, fused, batch.mask)
    return fused, made.decode(fused, batch.mask, slots, real), slots, real


def some_targets(clips, seed=0):
    """A moment of four clips in each video, with ratings."""
    targets = []
    for row, length in enumerate(clips):
        first = (3 * row + seed) % (length - 4)
        lit = torch.zeros(length, len(SCALES))
        lit[first : first + 4, :2] = 1.0
        targets.append(
            Target(
                windows=torch.tensor([[first, first + 4.0]]).numpy(),
                foreground=lit.numpy(),
                saliency=torch.where(lit[:, 0] > 0, 3.0, -9.0).numpy(),
                absent=False,
                windowed=True,
            )
        )
    return collate_targets(targets)


EVERY = [
    (head, fusion, slots) for head in HEADS for fusion in FUSIONS for slots in ("pattern", "random")
]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("slots", ["pattern", "random"])
def test_shapes(head, slots):
    config = small(head, slots=slots)
    batch = collate([inputs(config, clips, seed) for seed, clips in enumerate((12, 20, 7))])
    fused, decoded, spans, real = answered(network(config), batch)
    assert fused.features.shape == (3, 20, config.width)
    assert fused.pattern.shape == (3, len(SCALES), 20)
    assert fused.saliency.shape == (3, 20)
    assert fused.presence.shape == (3,)
    assert (fused.metric is None) == (head == "universal")
    assert decoded.spans.shape == spans.shape == (*real.shape, 2)
    assert decoded.scores.shape == real.shape
    assert (decoded.spans[..., 1] > decoded.spans[..., 0]).all()
    ends = batch.mask.sum(1)[:, None, None]
    assert ((decoded.spans >= 0) & (decoded.spans <= ends)).all()


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("head", HEADS)
def test_a_batch_says_what_each_video_alone_says(head, fusion):
    config = small(head, fusion=fusion)
    made = network(config)
    alone = [inputs(config, clips, seed) for seed, clips in enumerate((13, 20, 9))]
    with torch.no_grad():
        fused, decoded, slots, real = answered(made, collate(alone))
        for row, one in enumerate(alone):
            own, own_decoded, own_slots, own_real = answered(made, collate([one]))
            same = {"atol": 2e-5, "rtol": 1e-4}
            torch.testing.assert_close(fused.pattern[row, :, : len(one)], own.pattern[0], **same)
            torch.testing.assert_close(fused.saliency[row, : len(one)], own.saliency[0], **same)
            torch.testing.assert_close(fused.presence[row], own.presence[0], **same)
            count = int(own_real.sum())
            assert int(real[row].sum()) == count
            torch.testing.assert_close(slots[row, :count], own_slots[0], **same)
            torch.testing.assert_close(decoded.spans[row, :count], own_decoded.spans[0], **same)
            torch.testing.assert_close(decoded.scores[row, :count], own_decoded.scores[0], **same)


@pytest.mark.parametrize(("head", "fusion", "slots"), EVERY)
def test_two_steps_lower_the_loss_and_move_every_parameter(head, fusion, slots):
    config = small(head, fusion=fusion, slots=slots)
    made = network(config)
    batch = collate([inputs(config, 16, seed) for seed in range(4)])
    unrelated = collate([inputs(config, 16, seed) for seed in (7, 8)])
    targets, hyper = some_targets([16] * 4), Hyperparameters()
    optimizer = torch.optim.SGD(made.parameters(), lr=3e-3)
    totals = []
    for _ in range(3):
        total = losses(made, batch, targets, hyper, unrelated)["total"]
        totals.append(total.item())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert totals[2] < totals[1] < totals[0]
    unmoved = [n for n, p in made.named_parameters() if p.grad is None or not p.grad.any()]
    # Attention does not change when one number is added to the logits of all tokens.
    assert [name for name in unmoved if not name.endswith("attention.key.bias")] == []


def test_presence_teaches_nothing_but_its_own_weights():
    config = small()
    made = network(config)
    fused = made.fuse(collate([inputs(config, 12)]))
    fused.presence.sum().backward()
    taught = {name for name, p in made.named_parameters() if p.grad is not None}
    assert taught == {"present.weight", "present.bias"}


def test_presence_listens_to_the_evidence():
    config = small()
    made = network(config)
    batch = collate([inputs(config, 12)])
    more = batch._replace(evidence=batch.evidence + 1.0)
    assert made.fuse(batch).presence.item() != made.fuse(more).presence.item()
    assert torch.equal(made.fuse(batch).pattern, made.fuse(more).pattern)


def test_pattern_slots_move_by_a_clip_at_most_and_random_ones_by_their_width():
    for kind, reach in (("pattern", 1.0), ("random", None)):
        made = network(small(slots=kind))
        torch.nn.init.constant_(
            made.decoder.out[-1].bias, 50.0
        )  # moves the end as far to the right as possible
        batch = collate([inputs(made.config, 30)])
        _, decoded, slots, _ = answered(made, batch)
        width = slots[..., 1] - slots[..., 0]
        most = torch.full_like(width, reach) if reach else width
        moved = decoded.spans - slots
        inside = (slots[..., 1] + most < 30) & (width > LEAST_SPAN)
        torch.testing.assert_close(moved[..., 1][inside], most[inside])
        assert (moved[..., 0] <= most + 1e-5).all()


def test_random_slots_are_the_same_share_of_every_video():
    config = small(slots="random")
    made = network(config)
    batch = collate([inputs(config, 10), inputs(config, 40)])
    slots, real = made.anchors(batch.mask)
    assert real.all()
    torch.testing.assert_close(slots[0] / 10, slots[1] / 40)
    assert slots.requires_grad


@pytest.mark.parametrize("head", ["universal", "full"])
def test_every_fusion_has_as_many_parameters_as_reaction_diffusion(head):
    widths = {"video_width": 512, "sentence_width": 512, "words_width": 512, "matching": (0, 512)}
    given = {"head": head, **(widths if head == "full" else {})}
    made = {name: Network(ModelConfig(fusion=name, **given)) for name in FUSIONS}
    own = {name: count(net.blocks) for name, net in made.items()}
    whole = {name: count(net) for name, net in made.items()}
    for counted in (own, whole):
        of_rd = counted["reaction-diffusion"]
        assert all(abs(n - of_rd) <= 0.1 * of_rd for n in counted.values()), counted


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"head": "full"}, "a full head needs video_width and words_width"),
        ({"slot_width": 18}, "slot_width 18 is not a multiple of heads 4"),
        ({"dilations": (1,) * 9}, "fusion_channels must be at least the number of dilations"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
        (
            {"head": "full", "video_width": 4, "words_width": 4, "matching": (0, 2)},
            "both matching and sentence_width",
        ),
        ({"fusion": "magic"}, "no such fusion; choose one of: reaction-diffusion"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(changes, said):
    with pytest.raises(ValidationError, match=said):
        ModelConfig(**{**SMALL, **changes})


def test_a_configuration_survives_json():
    config = small("full", encoder="ViT-B-32/openai")
    assert ModelConfig.model_validate_json(config.model_dump_json()) == config
