"""Pixels as arrays and as tensors: channels, range, depth, size, and colours under transparency."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.codecs.images import Picture
from datasets.codecs.picture import Pixels as Pixels
from datasets.codecs.picture import lay_on, parse_colour

Floats = NDArray[np.float32]

BAND = 128  # rows that are converted at once, which bounds the memory for float copies; chosen by hand

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in Pillow and OpenCV


def convert_channels(pixels: Floats, channels: int) -> Floats:
    """Return (H, W, 1, 3 or 4) floats as (H, W, channels): gray is repeated, and colours become their luma.

    Alpha is added as opaque, and is not taken away.
    """
    if pixels.shape[2] == channels:
        return pixels
    if channels == 4:
        return np.dstack([convert_channels(pixels, 3), np.ones(pixels.shape[:2], np.float32)])
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    if channels == 1:
        gray: Floats = (pixels @ LUMA)[:, :, np.newaxis]
        return gray
    raise ValueError(f"pictures have 1, 3 or 4 channels, not {channels}")


def to_floats(pixels: Pixels) -> Floats:
    """Return (H, W, C) uint8 or uint16 pixels as float32 in [0, 1]."""
    floats = pixels.astype(np.float32)
    floats /= np.float32(np.iinfo(pixels.dtype).max)  # in place, to hold no second copy of a large photograph
    return floats


def to_tensor(pixels: Floats) -> Tensor:
    """Return (H, W, C) floats in [0, 1] as a tensor (C, H, W) in [-1, 1]."""
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy()).mul_(2).sub_(1)


def to_pixels(image: Tensor, depth: int) -> Pixels:
    """Return a tensor (C, H, W) in [-1, 1] as pixels (H, W, C), uint8 or uint16 for `depth` 8 or 16."""
    highest = 2**depth - 1
    channels, height, width = image.shape
    pixels: Pixels = np.empty((height, width, channels), np.uint8 if depth == 8 else np.uint16)
    result = torch.from_numpy(pixels)  # shares its memory
    for top in range(0, height, BAND):
        band = image[:, top : top + BAND].detach().float().cpu()
        levels = (band + 1).mul_(highest / 2).round_().clamp_(0, highest)
        result[top : top + BAND].copy_(levels.permute(1, 2, 0))
    return pixels


def to_picture(image: Tensor, depth: int = 8) -> Picture:
    """Return a tensor (1, 3 or 4, H, W) in [-1, 1] as a picture; the last of 4 channels is its alpha."""
    pixels = to_pixels(image, depth)
    return Picture(pixels[:, :, :3], pixels[:, :, 3] if pixels.shape[2] == 4 else None)


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return (H, W, C) pixels at another size: area averages where they shrink, bicubic where they grow."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = width * height < pixels.shape[0] * pixels.shape[1]
    result = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(result, pixels.dtype).reshape(height, width, pixels.shape[2])


def resize_shorter_side(pixels: Pixels, shorter: int) -> Pixels:
    """Return (H, W, C) pixels scaled, at their aspect, to `shorter` pixels on the shorter side."""
    height, width = pixels.shape[:2]
    factor = shorter / min(height, width)
    return resize(pixels, max(shorter, round(width * factor)), max(shorter, round(height * factor)))


def show_alpha(picture: Picture, background: str | None, channels: int = 3) -> Pixels:
    """Return the pixels that a network sees of a picture, (H, W, 1 or 3), or with alpha (H, W, 4) for 4 `channels`.

    They lie on the `background`; where that is None, hidden colours are replaced as by `drop_alpha`. Like any other
    pixels they may be resized and cropped. In four channels, `take_off` then takes them off the background again.
    """
    alpha = picture.alpha
    if alpha is None or background is None or alpha.min() == np.iinfo(alpha.dtype).max:
        pixels = drop_alpha(picture)
    else:
        pixels = lay_on(picture.pixels, alpha, background)
    if channels != 4:
        return pixels
    opaque = np.full(pixels.shape[:2], np.iinfo(pixels.dtype).max, pixels.dtype)
    colours = pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
    joined: Pixels = np.dstack([colours, opaque if alpha is None else alpha])
    return joined


def take_off(pixels: Floats, background: str | None) -> Floats:
    """Return (H, W, 4) floats in [0, 1] of `show_alpha` with their own colours; fully transparent ones stay as seen.

    Other numbers of channels are returned as they are.
    """
    if pixels.shape[2] != 4 or background is None:
        return pixels
    ground = np.array(parse_colour(background), np.float32) / np.float32(255)
    colours, alpha = pixels[:, :, :3], pixels[:, :, 3:]
    own = (colours - (1 - alpha) * ground) / np.maximum(alpha, np.float32(1e-6))
    return np.dstack([np.where(alpha > 0, np.clip(own, 0, 1, dtype=np.float32), colours), alpha])


def drop_alpha(picture: Picture) -> Pixels:
    """Return the picture's pixels, with the colours of fully transparent ones taken from the nearest visible ones.

    The colours that a file holds under full transparency are arbitrary, often black; a network, and any resizing, would
    smear them over the visible edge.
    """
    alpha = picture.alpha
    if alpha is None or alpha.min() > 0 or alpha.max() == 0:
        return picture.pixels
    hidden = (alpha == 0).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(hidden, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    # Each visible pixel has a label of its own; a hidden one has that of the nearest visible one.
    colours = np.empty((int(labels.max()) + 1, picture.channels), picture.pixels.dtype)
    visible = hidden == 0
    colours[labels[visible]] = picture.pixels[visible]
    filled: Pixels = np.where(visible[:, :, np.newaxis], picture.pixels, colours[labels])
    return filled
