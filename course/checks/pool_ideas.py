"""Unit 03: what all kinds of pooling share: cases, and the wrong ideas about windows, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course.checks.exercise import Case, Exercise, Objection, Refusal, integers, normal, runs_into
from course.checks.oracle import gradient, positions, tensor

UNIT = "03-pooling-and-activations"

Pool = Callable[..., torch.Tensor]  # (x, kernel_size, stride, ceil_mode=False), as torch's own


def every_pixel(x: Any, kernel_size: int, stride: int | None) -> torch.Tensor:
    """Return the windows of x, (N, C, H_out, W_out, K, K), by torch."""
    step = stride or kernel_size
    return tensor(x).unfold(2, kernel_size, step).unfold(3, kernel_size, step)


def divides(x: Any, kernel_size: int, stride: int | None) -> bool:
    """Return whether no row and no column is left over."""
    return all((size - kernel_size) % (stride or kernel_size) == 0 for size in np.shape(x)[2:])


def out_size(x: Any, kernel_size: int, stride: int | None) -> tuple[int, int]:
    """Return how many windows fit along rows and columns."""
    height, width = (positions(size, kernel_size, stride or kernel_size) for size in np.shape(x)[2:])
    return height, width


POOL_PARAMETERS = ("x", "kernel_size", "stride")
COUNTING = np.arange(1.0, 17.0).reshape(1, 1, 4, 4)  # 1 2 3 4 / 5 6 7 8 / 9 10 11 12 / 13 14 15 16


def pool_cases() -> tuple[Case, ...]:
    """Return the open cases of a pooling layer, from simple to complex, without those that a hand worked out."""
    return (
        Case("a wide image", normal(1, 1, 4, 8), 2),
        Case("nothing but negative values", -1 - np.abs(normal(1, 1, 6, 4)), 2),
        Case("three channels", normal(1, 3, 4, 6), 2),
        Case("two images", normal(2, 2, 6, 3), 3),
        Case("overlapping windows, 3 wide, stride 2", normal(1, 1, 7, 9), 3, stride=2),
        Case("overlapping windows on 6 x 6 pixels", normal(1, 2, 6, 6), 3, stride=2),
        Case("windows with gaps between them", normal(1, 1, 8, 5), 2, stride=3),
        Case("sizes that do not divide", normal(1, 2, 5, 7), 2),
        Case("a window as large as the image", normal(2, 1, 5, 5), 5),
    )


def random_pool(rng: np.random.Generator) -> Case:
    """Return a small pooling with every size drawn; there are ties in it."""
    n, c, kernel_size = (int(v) for v in rng.integers([1, 1, 2], [3, 4, 5]))
    height, width = (int(v) for v in rng.integers(kernel_size, 10, 2))
    x = rng.integers(-9, 10, (n, c, height, width)) / 2
    return (
        Case("random", x, kernel_size)
        if rng.random() < 0.3
        else Case("random", x, kernel_size, stride=int(rng.integers(1, 5)))
    )


def window_misconceptions(exercise: Exercise, pool: Pool, verb: str, leave_out: tuple[str, ...] = ()) -> None:
    """Add to the bank of a forward exercise what people get wrong about the windows; ``verb`` says what is done in one."""

    def bank(name: str, hint: str) -> Callable:
        return (lambda wrong: wrong) if name in leave_out else exercise.misconception(name, hint)

    def result(x, kernel_size, stride=None, **kwargs):
        return pool(tensor(x), kernel_size, stride, **kwargs).numpy()

    @bank(
        "reads-no-stride-as-one",
        "When stride is left out (None) you move the window by one pixel. In pooling that means stride = kernel_size: the windows "
        "lie side by side.",
    )
    def _(x, kernel_size, stride=None):
        return result(x, kernel_size, stride or 1)

    @bank(
        "ignores-the-stride",
        "Your windows always lie side by side, whatever stride says. With a stride of its own they overlap, or leave gaps. "
        "(Cutting the image into blocks by reshape can do the side by side case only.)",
    )
    def _(x, kernel_size, stride=None):
        if not all(size % kernel_size == 0 for size in x.shape[2:]):
            raise Refusal("cannot reshape")
        return result(x, kernel_size)

    @bank(
        "always-moves-by-the-window",
        "Your windows always lie side by side, whatever stride says: window i starts at `i * stride`.",
    )
    def _(x, kernel_size, stride=None):
        return result(x, kernel_size)

    @bank(
        "steps-by-one",
        "Your output has the right size, but the windows move by one pixel only: output row i looks at the rows from `i * stride` "
        "on, not from i.",
    )
    def _(x, kernel_size, stride=None):
        height, width = out_size(x, kernel_size, stride)
        return result(x, kernel_size, 1)[:, :, :height, :width]

    @bank(
        "rounds-the-size-up",
        "You count a last window that hangs over the edge (torch calls that ceil_mode). Here the size is rounded down: "
        "rows and columns left over are not read.",
    )
    def _(x, kernel_size, stride=None):
        return result(x, kernel_size, stride, ceil_mode=True)

    @bank(
        "fills-up-with-zeros",
        "You pad the image with zeros so that the last window fits. Nothing is padded here: rows and columns left over are not "
        "read. (Among negative numbers such a zero would even be the largest.)",
    )
    def _(x, kernel_size, stride=None):
        step = stride or kernel_size
        extra = [(kernel_size - size) % step for size in x.shape[2:]]
        return result(F.pad(tensor(x), (0, extra[1], 0, extra[0])), kernel_size, step)

    @bank(
        "refuses-an-uneven-stride",
        "You raise an error when the windows do not fill the image exactly. The rows and columns left over are simply not read.",
    )
    def _(x, kernel_size, stride=None):
        if not divides(x, kernel_size, stride):
            raise Objection("the windows do not fit")
        return result(x, kernel_size, stride)

    @bank("forgets-the-plus-one", "Your output lacks its last row and column: n steps lead to n + 1 places.")
    def _(x, kernel_size, stride=None):
        return result(x, kernel_size, stride)[:, :, :-1, :-1]

    @bank(
        "takes-every-stride-th-pixel",
        f"You keep one corner of each window and never look at its other pixels. Cut the whole window out, then {verb}.",
    )
    def _(x, kernel_size, stride=None):
        return every_pixel(x, kernel_size, stride)[..., 0, 0].numpy()

    @bank(
        "always-two-by-two",
        "Your windows are 2 wide whatever kernel_size says.",
    )
    def _(x, kernel_size, stride=None):
        return result(x, 2, stride)

    @bank(
        "pools-along-rows-only",
        f"Your windows are one row high: you {verb} over columns only. A window has kernel_size rows as well.",
    )
    def _(x, kernel_size, stride=None):
        step = stride or kernel_size
        return pool(tensor(x), (1, kernel_size), (step, step)).numpy()[
            :, :, : out_size(x, kernel_size, step)[0]
        ]

    @bank(
        "mixes-the-channels",
        f"You {verb} over all channels together. Pooling works on each channel for itself, so the output has as many channels as "
        "the input: take the window's two axes only.",
    )
    def _(x, kernel_size, stride=None):
        height, width = out_size(x, kernel_size, stride)
        tall = (
            every_pixel(x, kernel_size, stride).permute(0, 2, 3, 1, 4, 5).flatten(3)
        )  # a window of all channels
        one = pool_row(pool, tall.reshape(len(x), height * width, -1))
        return np.repeat(one.reshape(len(x), 1, height, width), x.shape[1], 1)

    @bank(
        "pools-the-first-image-only",
        "Every image gets the answer of the first one, or only the first is done: keep the batch axis (`:`) in your slices.",
    )
    def _(x, kernel_size, stride=None):
        return result(np.repeat(x[:1], len(x), 0), kernel_size, stride)

    @bank("drops-the-batch", "You return the first image only. The output has as many images as the input.")
    def _(x, kernel_size, stride=None):
        return result(x[:1], kernel_size, stride)

    @bank(
        "swaps-height-and-width",
        "Your maps are turned on their side. Rows (height) come before columns (width).",
    )
    def _(x, kernel_size, stride=None):
        return result(x, kernel_size, stride).swapaxes(2, 3)

    @bank(
        "puts-channels-last",
        "Your output has its channels last, as TensorFlow and photographs have them. This course, like torch, has them second.",
    )
    def _(x, kernel_size, stride=None):
        return np.moveaxis(result(x, kernel_size, stride), 1, -1)


def pool_row(pool: Pool, rows: torch.Tensor) -> np.ndarray:
    """Return each row of (N, P, M) pooled to one number, by ``pool`` over windows of 1 x M."""
    return pool(rows[:, None], (1, rows.shape[-1]), None)[:, 0, :, 0].numpy()


def backward_case(name: str, x: np.ndarray, kernel_size: int, stride: int | None = None, **more: Any) -> Case:
    """Return a case of a pooling's backward, with a grad_out of the right shape."""
    grad_out = normal(*x.shape[:2], *out_size(x, kernel_size, stride))
    kwargs = {} if stride is None else {"stride": stride}
    return Case(name, grad_out, x, kernel_size, **kwargs, **more)


def pool_backward_cases() -> tuple[Case, ...]:
    """Return the open cases of a pooling's backward, from simple to complex."""
    return (
        backward_case("a wide image", normal(1, 1, 4, 8), 2),
        backward_case("three channels", normal(1, 3, 4, 6), 2),
        backward_case("two images", normal(2, 2, 6, 3), 3),
        backward_case("overlapping windows, 3 wide, stride 2", normal(1, 1, 7, 9), 3, 2),
        backward_case("overlapping windows, stride 1", normal(2, 1, 4, 5), 2, 1),
        backward_case("windows with gaps between them", normal(1, 1, 8, 5), 2, 3),
        backward_case("sizes that do not divide", normal(1, 2, 5, 7), 2),
        backward_case("whole-number pixels", integers(1, 1, 4, 6), 2),
    )


def random_pool_backward(rng: np.random.Generator) -> Case:
    """Return a small backward pass with every size drawn; there are ties in it."""
    case = random_pool(rng)
    x, kernel_size = case.args
    stride = case.kwargs.get("stride")
    grad_out = rng.standard_normal((*x.shape[:2], *out_size(x, kernel_size, stride)))
    return Case("random", grad_out, x, kernel_size, **case.kwargs)


def one_by_one(
    pool: Pool, grad_out: np.ndarray, x: np.ndarray, kernel_size: int, stride: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each window the gradient that comes through it alone, and the mask of the pixels that it covers."""
    for i, j in np.ndindex(*np.shape(grad_out)[2:]):
        place = np.zeros_like(grad_out)
        place[:, :, i, j] = 1
        own = gradient(lambda x: pool(x, kernel_size, stride), grad_out * place, x)
        yield own, gradient(lambda x: F.avg_pool2d(x, kernel_size, stride), place, x) > 0


def backward_misconceptions(exercise: Exercise, pool: Pool) -> None:
    """Add to the bank of a backward exercise what people get wrong about handing gradients back to windows."""
    bank = exercise.misconception

    def result(grad_out, x, kernel_size, stride=None):
        return gradient(lambda x: pool(x, kernel_size, stride), grad_out, x)

    def moved_by(step, grad_out, x, kernel_size):
        height, width = np.shape(grad_out)[2:]
        places = out_size(x, kernel_size, step)
        if places[0] < height or places[1] < width:
            raise Refusal("a window leaves the image")
        filled = np.pad(grad_out, [(0, 0), (0, 0), (0, places[0] - height), (0, places[1] - width)])
        return result(filled, x, kernel_size, step)

    @bank(
        "overwrites-overlapping-windows",
        "Where windows overlap, the later one wipes out what the earlier one had handed back: you assign (=) to the window's pixels. "
        "A pixel in two windows gets a gradient from both, so add (+=).",
    )
    def _(grad_out, x, kernel_size, stride=None):
        left = np.zeros(x.shape)
        for own, covered in one_by_one(pool, grad_out, x, kernel_size, stride):
            left = np.where(covered, own, left)
        return left

    @bank(
        "reads-no-stride-as-one",
        "When stride is left out (None) you move the window by one pixel. It means stride = kernel_size, as in the forward pass.",
    )
    def _(grad_out, x, kernel_size, stride=None):
        return result(grad_out, x, kernel_size, stride) if stride else moved_by(1, grad_out, x, kernel_size)

    @bank(
        "steps-by-one",
        "Your windows move by one pixel only: grad_out[..., i, j] belongs to the window that starts at row `i * stride`, column "
        "`j * stride`.",
    )
    def _(grad_out, x, kernel_size, stride=None):
        return moved_by(1, grad_out, x, kernel_size)

    @bank(
        "always-moves-by-the-window",
        "Your windows always lie side by side, whatever stride says: window i starts at `i * stride`.",
    )
    def _(grad_out, x, kernel_size, stride=None):
        return moved_by(kernel_size, grad_out, x, kernel_size)

    @bank(
        "forgets-grad-out",
        "Your answer does not depend on grad_out. The chain rule multiplies the layer's own slope by the gradient that arrives.",
    )
    def _(grad_out, x, kernel_size, stride=None):
        return result(np.ones_like(grad_out), x, kernel_size, stride)

    @bank(
        "keeps-the-small-shape",
        "You return an array as small as the output. The gradient with respect to x has the shape of x: one number a pixel.",
    )
    def _(grad_out, x, kernel_size, stride=None):
        return np.array(grad_out)

    @bank(
        "gives-it-to-every-pixel",
        "Every pixel of a window gets the whole gradient in your answer, so more is handed back than arrived. How does the output "
        "change when one of those pixels does?",
    )
    def _(grad_out, x, kernel_size, stride=None):
        spread = gradient(lambda x: F.avg_pool2d(x, kernel_size, stride), grad_out, x)
        return spread * kernel_size**2

    @bank(
        "puts-it-in-the-corner",
        "You put each gradient into its window's top left corner. It belongs to the pixels that made the output.",
    )
    def _(grad_out, x, kernel_size, stride=None):
        falling = -np.arange(float(np.prod(x.shape[2:]))).reshape(x.shape[2:])  # its maxima are the corners
        falling = np.broadcast_to(falling, x.shape).copy()
        return gradient(lambda x: F.max_pool2d(x, kernel_size, stride), grad_out, falling)

    @bank(
        "takes-the-dtype-of-the-pixels",
        "When the pixels are whole numbers, your gradient is too, and loses what comes after the decimal point: np.zeros_like(x) "
        "takes over the dtype of x. np.zeros(x.shape) makes floats.",
    )
    def _(grad_out, x, kernel_size, stride=None):
        answer = result(grad_out, x, kernel_size, stride)
        return np.trunc(answer) if x.dtype.kind in "iu" else answer

    @bank(
        "adds-to-whole-numbers",
        "When the pixels are whole numbers, np.zeros_like(x) makes an array of whole numbers, and no fraction can be added to it. "
        "np.zeros(x.shape) makes floats.",
    )
    def _(grad_out, x, kernel_size, stride=None):
        if x.dtype.kind in "iu":
            raise runs_into("UFuncTypeError", words="Cannot cast ufunc")
        return result(grad_out, x, kernel_size, stride)

    @bank(
        "leaves-out-what-no-window-read",
        "Your answer ends with the last window. The gradient has the shape of x: rows and columns that were not read are there too, and "
        "get 0.",
    )
    def _(grad_out, x, kernel_size, stride=None):
        height, width = ((n - 1) * (stride or kernel_size) + kernel_size for n in np.shape(grad_out)[2:])
        return result(grad_out, x, kernel_size, stride)[:, :, :height, :width]
