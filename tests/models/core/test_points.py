"""Plots of points."""

import torch

from models.core.points import SIDE, is_points, plot_points


def test_a_point_is_dark_where_it_lies_x_to_the_right_and_y_up():
    plot = plot_points(torch.tensor([0.5, 0.75]).view(1, 2, 1, 1), reach=1.0)
    assert plot.shape == (1, 1, SIDE, SIDE)
    ((row, column),) = (plot[0, 0] < 1).nonzero().tolist()
    assert (column, row) == (round(0.75 * SIDE), round(0.125 * SIDE))


def test_all_points_are_within_a_plot_that_finds_its_own_reach_and_strays_are_left_out():
    points = torch.randn(50, 2, 1, 1) * 40
    assert (1 - plot_points(points)).sum() >= 50
    assert (plot_points(points, reach=1e-3) == 1).float().mean() > 0.99
    assert is_points(points)
    assert not is_points(torch.zeros(2, 3, 1, 1))
