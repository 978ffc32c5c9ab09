"""The pool of past fakes: when old ones are returned, and what is saved."""

import torch

from models.backbones.image_pool import ImagePool


def numbered(first: int, count: int = 4) -> torch.Tensor:
    return torch.arange(first, first + count).float().view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def test_new_fakes_are_returned_until_the_pool_is_full_and_old_ones_half_the_time_after():
    torch.manual_seed(0)
    pool = ImagePool(6)
    assert torch.equal(pool.exchange(numbered(0)), numbered(0))
    assert torch.equal(pool.exchange(numbered(4, 2)), numbered(4, 2))
    old = 0
    for step in range(500):
        fakes = numbered(100 + 4 * step)
        old += int((pool.exchange(fakes) != fakes).any(dim=(1, 2, 3)).sum())
        assert len(pool.images) == 6
    assert 0.45 < old / 2000 < 0.55


def test_every_fake_is_returned_once():
    torch.manual_seed(0)
    pool, inserted, returned = ImagePool(3), [], []
    for step in range(60):
        inserted.append(float(step))
        returned.append(float(pool.exchange(numbered(step, 1))[0, 0, 0, 0]))
    kept = [float(image[0, 0, 0]) for image in pool.images]
    assert sorted(set(returned[3:]) | set(returned[:3]) | set(kept)) == inserted
    assert len(returned[3:]) == len(set(returned[3:]))


def test_a_pool_of_size_0_keeps_nothing_and_draws_nothing():
    before = torch.get_rng_state()
    pool = ImagePool(0)
    assert torch.equal(pool.exchange(numbered(0)), numbered(0))
    assert pool.images == []
    assert torch.equal(torch.get_rng_state(), before)


def test_returned_fakes_are_detached():
    fakes = numbered(0).clone().requires_grad_()
    assert not ImagePool(2).exchange(fakes).requires_grad


def test_the_images_are_saved_and_restored() -> None:
    pool, other = ImagePool(3), ImagePool(3)
    pool.exchange(numbered(0, 3))
    saved = pool.get_extra_state()
    other.load_state_dict(pool.state_dict())
    exchanged = []
    for each in (pool, other):
        torch.manual_seed(1)
        exchanged.append(each.exchange(numbered(50)))
    assert torch.equal(*exchanged)
    assert (exchanged[0] < 3).any()
    assert [float(image[0, 0, 0]) for image in saved] == [0, 1, 2]  # what was saved does not change later


def test_images_of_a_restored_state_come_back_on_the_device_of_the_fakes() -> None:
    pool = ImagePool(3)
    pool.exchange(torch.zeros(3, 3, 2, 2))
    restored = ImagePool(3)
    restored.set_extra_state(pool.get_extra_state())
    for seed in range(5):  # some of them take an old image
        torch.manual_seed(seed)
        assert restored.exchange(torch.zeros(2, 3, 2, 2, device="meta")).device.type == "meta"
