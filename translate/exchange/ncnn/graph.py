"""What a list of layers computes, in a form that does not depend on names, on the program that wrote it, or on fusions.

Every value is a weighted sum of results of operations. A result is known by a hash of its operation and of what went
into it, so two graphs compute the same if, and only if, their outputs are the same sums: `x + 0.2 * f` is the same
whether it is one `Eltwise`, or a `BinaryOp` that multiplies and one that adds. Operations with weights are numbered in
the order of the file.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

# Hashes of results, and the weight of each in the sum; sorted.
Value = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Weighted:
    """An operation with weights.

    Attributes:
        operation: Its kind and shape, such as "convolution 64x3x3x3 padding 1".
        result: The hash of its result.
        layer: Its name in the file; empty in a graph that was not read.
    """

    operation: str
    result: str
    layer: str = ""


class Graph:
    """A graph that is built operation by operation.

    Attributes:
        weighted: The operations with weights, in order.
        output: What it computes, once it is complete.
    """

    def __init__(self) -> None:
        self.weighted: list[Weighted] = []
        self.output: Value = ()
        self._parts: dict[Value, tuple[Value, ...]] = {}  # of concatenations

    def apply(self, operation: str, *inputs: Value) -> Value:
        """Return the result of an operation without weights, such as "nearest 2"."""
        text = f"{operation}|{inputs}"
        return ((hashlib.sha256(text.encode()).hexdigest()[:16], 1.0),)

    def concatenate(self, *values: Value) -> Value:
        """Return the concatenation of values along channels; one within another is the same as a longer one."""
        parts = tuple(part for value in values for part in self._parts.get(value, (value,)))
        joined = self.apply("concatenation", *parts)
        self._parts[joined] = parts
        return joined

    def apply_weights(self, operation: str, value: Value, layer: str = "") -> Value:
        """Return the result of an operation with weights of its own."""
        result = self.apply(f"{len(self.weighted)} {operation}", value)
        self.weighted.append(Weighted(operation, result[0][0], layer))
        return result

    def convolve(self, value: Value, shape: Sequence[int], padding: int, *, slope: float | None = None) -> Value:
        """Return a convolution with a bias, and after it, with a slope, a leaky ReLU.

        Args:
            value: Its input.
            shape: Channels out, channels in, height and width of the kernel.
            padding: Zeros at each side.
            slope: Of the leaky ReLU below 0.
        """
        return self.leak(self.apply_weights(f"convolution {join(shape)} padding {padding}", value), slope)

    def leak(self, value: Value, slope: float | None) -> Value:
        """Return a leaky ReLU; None: the value itself."""
        return value if slope is None else self.apply(f"leaky ReLU {slope:.6g}", value)


def join(shape: Sequence[int]) -> str:
    """Write a shape as 64x3x3x3."""
    return "x".join(map(str, shape))


def add(*terms: tuple[float, Value]) -> Value:
    """Return the sum of values, each multiplied by a number."""
    total: dict[str, float] = {}
    for factor, value in terms:
        for result, weight in value:
            total[result] = total.get(result, 0.0) + factor * weight
    return tuple(sorted((result, float(f"{weight:.6g}")) for result, weight in total.items()))
