"""What recipes of two domains share: names of domains, previews and errors with and without true counterparts."""

import pytest
import torch
from torch import Tensor

from datasets.contract import Unpaired
from datasets.errors import UserError
from models.contract import Translator
from models.metrics import l1
from models.two_domains import add_error, average_metrics, check_two_domains, make_preview


class Negative(Translator):
    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        return -image


def batch(truth: bool) -> Unpaired:
    a, b = (torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(seed)) * 2 - 1 for seed in (0, 1))
    return Unpaired(a, b, torch.full((2,), truth))


@pytest.mark.parametrize(
    ("expected", "found", "sentence"),
    [
        ((), ("one",), "learns from 2 domains, and the data have the 1 domains one"),
        ((), (), "the data have no domains"),
        (("A", "B"), ("x", "y"), r"model\.domains is A, B, and the data's folders are x, y; .*data\.a and data\.b"),
    ],
)
def test_other_domains_than_two_are_refused(expected: tuple[str, ...], found: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        check_two_domains(expected, found)


def test_two_domains_are_taken_from_the_data() -> None:
    assert check_two_domains((), ("x", "y")) == check_two_domains(("x", "y"), ("x", "y")) == ("x", "y")


def test_metrics_are_averaged_by_name() -> None:
    metrics = average_metrics([{"l1": torch.tensor([1.0, 2.0])}, {"l1": torch.tensor([3.0, 6.0])}])
    assert {name: values.tolist() for name, values in metrics.items()} == {"l1": [2.0, 4.0]}


@pytest.mark.parametrize("truth", [False, True])
def test_a_preview_shows_a_target_only_where_it_is_true(truth: bool) -> None:
    a, b, known = batch(truth)
    preview = make_preview(Negative(), a, b, known, 0)
    assert torch.equal(preview.output, -a)
    assert (preview.target is None, preview.real is None) == (not truth, truth)


@pytest.mark.parametrize("truth", [False, True])
def test_the_error_is_a_distance_to_true_counterparts_or_the_fallback(truth: bool) -> None:
    examples, cycle, fallback = batch(truth), torch.tensor([0.1, 0.2]), torch.tensor([0.3, 0.4])
    pairs = [(-examples.a, examples.b), (-examples.b, examples.a)]
    metrics = add_error({"cycle": cycle}, fallback, examples, pairs)
    assert torch.equal(metrics["cycle"], cycle)
    distance = (l1(*pairs[0]) + l1(*pairs[1])) / 2
    assert torch.allclose(metrics["error"], distance if truth else fallback)
    assert ("psnr" in metrics) == truth
