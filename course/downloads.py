"""Data sets that are downloaded on request: kept in a folder, and used only if their checksums are the published ones."""

from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course.errors import DataError
from course.shapes import shapes

Sets = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

CIFAR10_NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
FASHION_NAMES = (
    *("t-shirt", "trousers", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)


class Remote(NamedTuple):
    """A file to be had somewhere, and the checksum its makers published."""

    folder: str
    file: str
    md5: str


CIFAR10 = Remote(
    "https://www.cs.toronto.edu/~kriz/", "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"
)
ZALANDO = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
FASHION = (
    Remote(ZALANDO, "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    Remote(ZALANDO, "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
    Remote(ZALANDO, "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
    Remote(ZALANDO, "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
)


def cifar10(fallback: bool = False) -> Sets:
    """Return CIFAR-10, downloaded once (162 MB): train_x, train_y, test_x, test_y; CIFAR10_NAMES names the classes.

    Images are (50000 or 10000, 3, 32, 32) float32 from 0 to 1, labels whole numbers. The file is kept in the folder that
    the environment variable CONVNETS_DATA names, or else in the user's cache folder; one put there by hand is used too.

    Raises DataError, one line, when the file is neither there nor to be had whole; with ``fallback=True`` it says so and
    returns shapes().
    """
    return with_fallback(lambda: read_cifar10(fetch(CIFAR10, "CIFAR-10")), shapes, fallback)


def fashion_mnist(fallback: bool = False) -> Sets:
    """Return Fashion-MNIST, downloaded once (31 MB): train_x, train_y, test_x, test_y; FASHION_NAMES names the classes.

    Images are (60000 or 10000, 1, 28, 28) float32 from 0 to 1, labels whole numbers. The files are kept as cifar10()'s is.

    Raises DataError as cifar10() does; with ``fallback=True`` it says so and returns shapes() in grey, cut to 28 x 28.
    """

    def read() -> Sets:
        train_x, train_y, test_x, test_y = (read_idx(fetch(remote, "Fashion-MNIST")) for remote in FASHION)
        return as_images(train_x[:, None]), as_labels(train_y), as_images(test_x[:, None]), as_labels(test_y)

    def grey() -> Sets:
        train_x, train_y, test_x, test_y = shapes()
        train_x, test_x = (x.mean(axis=1, keepdims=True)[..., 2:-2, 2:-2] for x in (train_x, test_x))
        return train_x, train_y, test_x, test_y

    return with_fallback(read, grey, fallback)


def with_fallback(read: Callable[[], Sets], instead: Callable[[], Sets], fallback: bool) -> Sets:
    """Return what is read; if that fails and it is wanted so, say why and return the other."""
    try:
        return read()
    except DataError as error:
        if not fallback:
            raise
        print(f"{error} Here are shapes() instead.")
        return instead()


def folder() -> Path:
    """Return where downloads are kept."""
    import pooch

    return Path(os.environ.get("CONVNETS_DATA") or pooch.os_cache("convnets")).expanduser()


def fetch(remote: Remote, title: str) -> Path:
    """Return the path of a file that is whole: the one kept, or one downloaded now."""
    import pooch
    import requests

    from course.progress import Bar

    path = folder() / remote.file
    bar = Bar(0, unit="B", shown=not path.exists())
    bar.say(f"{title}, {remote.file}")
    loader = pooch.HTTPDownloader(progressbar=bar.bar, chunk_size=2**16, timeout=30)
    pooch.get_logger().setLevel("WARNING")  # what it is doing is said by the bar
    try:
        return Path(
            pooch.retrieve(
                remote.folder + remote.file, f"md5:{remote.md5}", path.name, path.parent, downloader=loader
            )
        )
    except requests.RequestException as error:
        reason = f"{remote.folder} gave no whole file ({in_words(error)})"
    except ValueError:
        reason = f"what {remote.folder} gave has not the published checksum"
    except OSError as error:
        raise DataError(
            f"{title}: {path.parent} cannot be written ({error.strerror or type(error).__name__}). "
            "Name another folder in the environment variable CONVNETS_DATA."
        ) from None
    finally:
        bar.bar.close()
    kept = f"{path} is broken or incomplete, and " if path.exists() else ""
    raise DataError(f"{title}: {kept}{reason}. Try again, or put {remote.file} into {path.parent} by hand.")


def in_words(error: Exception) -> str:
    """Return in a few words why a download failed."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"it answered {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    return "no connection"


def read_cifar10(path: Path) -> Sets:
    """Read the binary version: 10,000 records a file, each a label and 3 x 32 x 32 bytes."""
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    with tarfile.open(path) as archive:
        files = [archive.extractfile(f"cifar-10-batches-bin/{name}.bin") for name in names]
        rows = [np.frombuffer(file.read(), np.uint8).reshape(-1, 3073) for file in files if file]
    train, test = np.concatenate(rows[:5]), rows[5]
    images = [as_images(part[:, 1:].reshape(-1, 3, 32, 32)) for part in (train, test)]
    return images[0], as_labels(train[:, 0]), images[1], as_labels(test[:, 0])


def read_idx(path: Path) -> np.ndarray:
    """Read a file of MNIST's format: two zeros, the type, the number of axes, their lengths, the bytes."""
    raw = gzip.decompress(path.read_bytes())
    lengths = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(lengths)


def as_images(pixels: np.ndarray) -> np.ndarray:
    """Return bytes as float32 from 0 to 1."""
    return pixels / np.float32(255)


def as_labels(numbers: np.ndarray) -> np.ndarray:
    """Return bytes as the whole numbers that index arrays."""
    return numbers.astype(np.int64)
