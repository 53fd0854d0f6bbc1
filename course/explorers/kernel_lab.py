"""KernelLab: a photograph, an upload or a drawing through a kernel that is edited live."""

from __future__ import annotations

import base64
from functools import cache

import numpy as np
import traitlets

from .base import SETTING, Explorer, Numbers, joined, style

SIDE = 256


@cache
def photo() -> str:
    """Return the grey photograph, 256 by 256 bytes, in base 64."""
    from course.data import grey_photograph

    picture = grey_photograph("flower", SIDE)[0, 0]
    left = (picture.shape[1] - SIDE) // 2
    grey = np.round(picture[:, left : left + SIDE] * 255).astype(np.uint8)
    return base64.b64encode(grey.tobytes()).decode()


class KernelLab(Explorer):
    """Show what a kernel does to a picture, in true correlation or convolution, with each kind of border.

    ``kernel`` is any array of numbers of two dimensions, each divided by ``divisor``; ``image`` a grey picture (H, W) from
    0 to 255 in place of the photograph, up to 256 by 256.

    >>> KernelLab(kernel=[[1, 1, 1]], divisor=3)
    KernelLab(kernel=[[1, 1, 1]], divisor=3)

    Raises TypeError for a setting that does not exist, TraitError for one of the wrong type.
    """

    _esm = joined("kernel_lab")
    _css = style()

    kernel = Numbers(2, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]).tag(**SETTING)
    divisor = traitlets.Float(4).tag(**SETTING)
    picture = traitlets.Enum(["photo", "drawing", "upload", "rings", "image"], default_value="photo").tag(
        **SETTING
    )
    border = traitlets.Enum(["zeros", "reflect", "replicate", "circular"], default_value="zeros").tag(
        **SETTING
    )
    shown = traitlets.Enum(["as it is", "signed", "size"], default_value="signed").tag(**SETTING)
    flip = traitlets.Bool(False).tag(**SETTING)
    image = Numbers(2).tag(**SETTING)

    _photo = traitlets.Unicode().tag(sync=True, page=True)

    def __init__(self, **settings: object):
        super().__init__(**settings)
        self._photo = photo()
        if self.image is not None and "picture" not in settings:
            self.picture = "image"
