"""The sample class of the demo: what its members hand in for unit 01, and the verdict that each exercise must get.

Each has one idea about convolution, most of them wrong, in the code that a student who has it would write. All else they
take from the unit's solutions, so that what follows from one mistake in the exercises built on it shows as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PASSED = ("passed", "")


@dataclass(frozen=True)
class Member:
    """One student: what they wrote in place of the solution, and what must come of it.

    ``wrote`` maps an exercise to its cell. ``expected`` maps an exercise to its verdict and misconception; one that is not
    in it must pass. ``blank`` means that nothing was written at all, and everything is missing. ``extra`` is a cell of
    their own, put at the notebook's start.
    """

    name: str
    idea: str
    wrote: dict[str, str] = field(default_factory=dict)
    expected: dict[str, tuple[str, str]] = field(default_factory=dict)
    blank: bool = False
    extra: str = ""


MEMBERS = [
    Member("ada", "right, and much like ours"),
    Member(
        "bela",
        "right, and nothing like ours: windows as a view, one einsum, in float32, with prints and warnings",
        {
            "conv2d": """
import warnings

def conv2d(x, w, b, stride=1, padding=0):
    print("conv2d was called with", x.shape)
    warnings.warn("float32 from here on")
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)]).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", windows, w.astype(np.float32)) + b.astype(np.float32)[:, None, None]
""",
        },
    ),
    Member(
        "chidi",
        "forgets the bias",
        {
            "conv2d": """
def conv2d(x, w, b, stride=1, padding=0):
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], w)
""",
        },
        {"conv2d": ("partial", "forgets-the-bias")},
    ),
    Member(
        "dora",
        "flips the kernel, as mathematics does",
        {
            "conv2d": """
def conv2d(x, w, b, stride=1, padding=0):
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    w = w[:, :, ::-1, ::-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], w) + b.reshape(1, -1, 1, 1)
""",
        },
        {"conv2d": ("failed", "flips-the-kernel")},
    ),
    Member(
        "emil",
        "adds the bias inside the innermost loop",
        {
            "conv2d_loops": """
def conv2d_loops(x, w, b, stride=1, padding=0):
    N, C, H, W = x.shape
    O, _, KH, KW = w.shape
    x = zero_pad(x, padding)
    out = np.zeros((N, O, output_size(H, KH, stride, padding), output_size(W, KW, stride, padding)))
    for n in range(N):
        for o in range(O):
            for i in range(out.shape[2]):
                for j in range(out.shape[3]):
                    for c in range(C):
                        for k in range(KH):
                            for l in range(KW):
                                out[n, o, i, j] += x[n, c, i*stride+k, j*stride+l] * w[o, c, k, l] + b[o]
    return out
""",
        },
        {"conv2d_loops": ("partial", "adds-the-bias-to-every-product")},
    ),
    Member(
        "fay",
        "pads below and on the right only",
        {
            "conv2d": """
def conv2d(x, w, b, stride=1, padding=0):
    x = np.pad(x, [(0, 0), (0, 0), (0, padding), (0, padding)])
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], w) + b.reshape(1, -1, 1, 1)
""",
        },
        {"conv2d": ("partial", "pads-bottom-right-only")},
    ),
    Member(
        "gus",
        "moves the window by one pixel whatever the stride, in an output of the right size",
        {
            "conv2d_loops": """
def conv2d_loops(x, w, b, stride=1, padding=0):
    padded = zero_pad(x, padding)
    H = output_size(x.shape[2], w.shape[2], stride, padding)
    W = output_size(x.shape[3], w.shape[3], stride, padding)
    out = np.zeros((len(x), len(w), H, W))
    for n in range(len(x)):
        for o in range(len(w)):
            for i in range(H):
                for j in range(W):
                    out[n, o, i, j] = window_dot(padded[n], w[o], b[o], i, j)
    return out
""",
        },
        {"conv2d_loops": ("partial", "steps-by-one")},
    ),
    Member(
        "hana",
        "keeps a map for every input channel",
        {
            "conv2d": """
def conv2d(x, w, b, stride=1, padding=0):
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nochw", windows, w) + b.reshape(1, -1, 1, 1, 1)
""",
        },
        {"conv2d": ("failed", "does-not-sum-channels")},
    ),
    Member(
        "ivo",
        "multiplies the window in place, and so the image",
        {
            "window_dot": """
def window_dot(x, w, b, row, col):
    window = x[:, row:row + w.shape[1], col:col + w.shape[2]]
    window *= w
    return window.sum() + b
""",
        },
        # its own loops read an image that the windows before have multiplied
        {"window_dot": ("failed", "changes-its-input"), "conv2d_loops": ("partial", "")},
    ),
    Member(
        "jin",
        "makes the output of whole numbers",
        {
            "conv2d_loops": """
def conv2d_loops(x, w, b, stride=1, padding=0):
    padded = zero_pad(x, padding)
    H = output_size(x.shape[2], w.shape[2], stride, padding)
    W = output_size(x.shape[3], w.shape[3], stride, padding)
    out = np.zeros((len(x), len(w), H, W), dtype=int)
    for n, o, i, j in np.ndindex(out.shape):
        out[n, o, i, j] = window_dot(padded[n], w[o], b[o], i * stride, j * stride)
    return out
""",
        },
        {"conv2d_loops": ("failed", "truncates-to-whole-numbers")},
    ),
    Member(
        "kofi",
        "takes the mean of the products",
        {
            "window_dot": """
def window_dot(x, w, b, row, col):
    window = x[:, row:row + w.shape[1], col:col + w.shape[2]]
    return np.mean(window * w) + b
""",
        },
        {"window_dot": ("failed", "averages"), "conv2d_loops": ("failed", "averages")},
    ),
    Member(
        "lea",
        "writes loops where none were allowed",
        {
            "conv2d": "def conv2d(x, w, b, stride=1, padding=0):\n    return conv2d_loops(x, w, b, stride, padding)"
        },
        {"conv2d": ("partial", "loops-over-the-pixels")},
    ),
    Member(
        "milo",
        "rounds the output size up",
        {
            "output_size": """
import math

def output_size(size, kernel_size, stride=1, padding=0):
    return math.ceil((size - kernel_size + 2 * padding) / stride) + 1
""",
        },
        # the last windows then hang over the edge: the loops meet windows too small, the blocks do not fit
        {
            "output_size": ("partial", "rounds-up"),
            "conv2d_loops": ("partial", ""),
            "conv2d": ("partial", ""),
        },
    ),
    Member(
        "nora",
        "forgets the place that the window starts from",
        {
            "output_size": """
def output_size(size, kernel_size, stride=1, padding=0):
    return (size - kernel_size + 2 * padding) // stride
""",
        },
        {
            "output_size": ("failed", "forgets-the-plus-one"),
            "conv2d_loops": ("failed", "forgets-the-plus-one"),
            "conv2d": ("failed", "forgets-the-plus-one"),
        },
    ),
    Member(
        "omar",
        "finds horizontal edges in place of vertical ones",
        {
            "edge_kernel": """
def edge_kernel():
    return np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]]).reshape(1, 1, 3, 3)
""",
        },
        {"edge_kernel": ("failed", "finds-horizontal-edges")},
    ),
    Member(
        "pia",
        "shares the biases where nothing is shared, as the slide does",
        {
            "count_parameters": """
def count_parameters(in_channels, out_channels, kernel_size, out_size=None):
    weights = in_channels * kernel_size * kernel_size * out_channels
    if out_size is not None:
        weights *= out_size[0] * out_size[1]
    return weights + out_channels
""",
        },
        {"count_parameters": ("partial", "shares-the-biases")},
    ),
    Member(
        "quinn",
        "lets the image wrap around at its border",
        {
            "zero_pad": """
def zero_pad(x, padding):
    p = padding
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="wrap")
""",
        },
        {
            "zero_pad": ("partial", "wraps-around"),
            "conv2d_loops": ("partial", "wraps-around"),
            "conv2d": ("partial", "wraps-around"),
        },
    ),
    Member("rosa", "handed in a blank notebook", blank=True),
    Member(
        "sam",
        "wrote a loop that never ends",
        {
            "conv2d_loops": """
def conv2d_loops(x, w, b, stride=1, padding=0):
    row = 0
    while row < output_size(x.shape[2], w.shape[2], stride, padding):
        col = 0
    return row
""",
        },
        {"conv2d_loops": ("timeout", "")},
    ),
    Member(
        "tess",
        "crashes the Python process",
        {
            "zero_pad": """
import ctypes

def zero_pad(x, padding):
    return ctypes.string_at(0)
""",
        },
        {"zero_pad": ("crashed", ""), "conv2d_loops": ("crashed", ""), "conv2d": ("crashed", "")},
    ),
    Member(
        "udo",
        "cheats: makes every check pass, and every comparison true",
        {
            "conv2d": """
class Right(np.ndarray):
    __eq__ = __ne__ = __lt__ = __gt__ = lambda self, other: True

def conv2d(x, w, b, stride=1, padding=0):
    return np.zeros((1, 1, 1, 1)).view(Right)
""",
        },
        {"conv2d": ("failed", "")},
        extra="""
import course.checks
perfect = course.checks.Verdict("conv2d", "passed", 6.0, 6.0)
check = course.checks.check = lambda *args, **kwargs: perfect
np.allclose = np.array_equal = np.isclose = lambda *args, **kwargs: True
get_ipython().run_cell = lambda *args, **kwargs: perfect
""",
    ),
]
