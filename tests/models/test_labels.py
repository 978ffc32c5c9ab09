"""Labels of several sets: targets within each set, losses of each image's own set, and what excludes what."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.contract import LabelSet
from models.labels import Labels

FACES = LabelSet(names=("black", "blond", "male", "young"), exclusive=(("black", "blond"),))
MOODS = LabelSet(names=("happy", "sad", "calm"), classes=True)


@pytest.fixture
def labels() -> Labels:
    return Labels([FACES, MOODS])


def draw(count: int) -> tuple[Tensor, Tensor]:
    """Labels of images that are faces and moods in turn."""
    label, source = torch.zeros(count, 7), torch.arange(count) % 2
    for row in range(count):
        if row % 2:
            label[row, 4 + row // 2 % 3] = 1
        else:
            label[row, :4] = torch.tensor([0.0, 1.0, float(row % 4 == 0), 1.0])
    return label, source


def test_names_are_those_of_all_sets(labels: Labels) -> None:
    assert labels.names == (*FACES.names, *MOODS.names)
    assert [labels.find_set(index) for index in range(7)] == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(0, 1, True), (0, 2, False), (2, 3, False), (4, 5, True), (3, 4, True), (2, 2, False), (5, 5, False)],
)
def test_labels_exclude_each_other_across_sets_within_classes_and_in_groups(
    labels: Labels, one: int, other: int, expected: bool
) -> None:
    assert labels.are_exclusive(one, other) == labels.are_exclusive(other, one) == expected


def test_targets_are_a_permutation_within_each_set(labels: Labels) -> None:
    torch.manual_seed(0)
    label, source = draw(20)
    target = labels.permute(label, source)
    assert not torch.equal(target, label)
    for half in (slice(0, None, 2), slice(1, None, 2)):
        rows = [sorted(map(tuple, part[half].tolist())) for part in (label, target)]
        assert rows[0] == rows[1]


def test_a_changed_label_is_another_class_or_one_attribute_more_or_less(labels: Labels) -> None:
    torch.manual_seed(0)
    label, source = draw(200)
    changed = labels.change_one(label, source)
    assert not changed[0::2, 4:].any()
    assert not changed[1::2, :4].any()
    assert (changed[1::2].sum(1) == 1).all()
    assert (changed != label).any(1).all()
    faces, before = changed[0::2, :4], label[0::2, :4]
    assert (faces[:, :2].sum(1) <= 1).all()
    hair = (faces[:, 0] == 1) & (before[:, 0] == 0)  # from blond to black, two labels change
    assert hair.any()
    assert torch.equal((faces != before).sum(1), 1 + hair.long())


def test_loss_and_accuracy_are_those_of_each_images_own_set(labels: Labels) -> None:
    label, source = draw(4)
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(1))
    expected = [
        F.cross_entropy(logits[row, 4:], label[row, 4:].argmax())
        if row % 2
        else F.binary_cross_entropy_with_logits(logits[row, :4], label[row, :4], reduction="sum")
        for row in range(4)
    ]
    assert torch.allclose(labels.classification_loss(logits, label, source), torch.stack(expected))
    right = 20 * (label - 0.5)
    assert torch.equal(labels.accuracy(right, label, source), torch.ones(4))
    assert torch.equal(labels.accuracy(-right, label, source)[0::2], torch.zeros(2))
