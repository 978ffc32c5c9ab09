"""Holes described in words: they lie where they are said to, in pixels or percent."""

import numpy as np
import pytest

from datasets.codecs.images import Picture
from datasets.errors import UserError
from datasets.masks.shapes import Marks

HEIGHT, WIDTH = 30, 40


def draw(**marks: object) -> np.ndarray:
    return Marks.model_validate(marks).draw_shapes(HEIGHT, WIDTH)


@pytest.mark.parametrize("box", ["10,6,20,9", "25%,20%,50%,30%", "10, 6, 20, 30%", "10 6 20 9"])
def test_a_box_has_its_left_top_width_and_height(box: str) -> None:
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[6:15, 10:30] = True
    assert (draw(box=[box]) == expected).all()


def test_a_box_beyond_the_border_is_cut_off() -> None:
    assert draw(box=["30,20,999,999"]).sum() == 10 * 10
    assert draw(box=["0,0,100%,100%"]).all()


def test_a_circle_has_its_centre_and_radius() -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    assert (draw(circle=["20,15,8"]) == (np.hypot(x - 20, y - 15) <= 8)).all()
    assert (draw(circle=["50%,50%,20%"]) == draw(circle=["20,15,8"])).all()


def test_a_polygon_has_its_corners() -> None:
    triangle = draw(polygon=["10,5,30,5,20,25"])
    inside, outside = ((5, 10), (5, 30), (25, 20), (10, 20)), ((20, 12), (4, 20), (26, 20))
    assert [bool(triangle[at]) for at in inside + outside] == [True] * 4 + [False] * 3
    assert (draw(polygon=["10,5 30,5 20,25"]) == triangle).all()
    assert triangle.sum() == pytest.approx(20 * 20 / 2, rel=0.2)


def test_all_shapes_together_are_hole() -> None:
    together = draw(box=["0,0,5,5", "10,0,5,5"], circle=["30,20,5"], polygon=["0,20,9,20,0,29"])
    parts = [draw(box=["0,0,5,5"]), draw(box=["10,0,5,5"]), draw(circle=["30,20,5"]), draw(polygon=["0,20,9,20,0,29"])]
    assert (together == np.any(parts, axis=0)).all()
    mask, notes = Marks(box=("0,0,5,5",)).find_holes(Picture(np.zeros((HEIGHT, WIDTH, 3), np.uint8)))
    assert (mask.sum(), notes) == (25, ())


@pytest.mark.parametrize("box", ["40,0,5,5", "0,30,1,1", "3,3,0,5"])
def test_a_shape_that_covers_nothing_is_refused(box: str) -> None:
    with pytest.raises(UserError, match=f"{box}: covers no pixel of the picture, which has 40x30"):
        draw(box=[box])


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("box", "1,2,3", "expected X,Y,W,H such as"),
        ("box", "1,2,3,4,5", "expected X,Y,W,H such as"),
        ("box", "-1,2,3,4", "expected X,Y,W,H such as"),
        ("box", "a,b,c,d", "in pixels or percent of the picture, found a,b,c,d"),
        ("circle", "1,2", "expected X,Y,R such as"),
        ("polygon", "1,2,3,4", "expected three or more points"),
        ("polygon", "1,2,3,4,5,6,7", "expected three or more points"),
        ("text_stamp", "middle", "expected top-left, top-right, bottom-left, bottom-right"),
        ("text_stamp", "top-left,reddish", "expected a colour such as red or #ff0000, found reddish"),
    ],
)
def test_a_shape_that_cannot_be_read_is_refused_with_an_example(kind: str, text: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        Marks.model_validate({kind: text if kind == "text_stamp" else [text]})
