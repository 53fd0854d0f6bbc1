"""The embedded shapes, and downloads from a server of the test's own: whole, broken, and not to be had."""

import gzip
import hashlib
import io
import struct
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from course import downloads
from course.data import cifar10, fashion_mnist, shapes, standardized
from course.errors import DataError
from course.shapes import NAMES, OUTLINES, SIZE, chunk, grid

# --- the shapes ---


def test_shapes_are_the_same_at_every_call_and_a_short_set_is_the_beginning_of_a_long_one():
    long = shapes(600, 20)
    chunk.cache_clear()
    short = shapes(40, 10)
    for whole, beginning in zip(long, short, strict=True):
        np.testing.assert_array_equal(whole[: len(beginning)], beginning)


def test_shapes_hold_as_many_of_each_kind_and_no_image_of_the_test_set_is_trained_on():
    train_x, train_y, test_x, test_y = shapes(500, 500)
    assert set(np.bincount(train_y)) == set(np.bincount(test_y)) == {50}
    assert len({image.tobytes() for image in np.concatenate([train_x, test_x])}) == 1000


def test_shapes_are_floats_from_0_to_1_that_a_caller_may_write_into():
    train_x, train_y, *_ = shapes(10, 1)
    assert train_x.dtype == np.float32 and train_y.dtype == np.int64
    assert train_x.min() >= 0 and train_x.max() <= 1
    train_x[:] = 5
    assert shapes(10, 1)[0].max() <= 1


def test_the_outlines_differ_in_fifty_pixels_or_more_however_they_are_turned():
    x, y = (axis[None] / 12 for axis in grid())
    drawn = {}
    for name, outline in zip(NAMES, OUTLINES, strict=True):
        turned = [
            (x * np.cos(a) + y * np.sin(a), y * np.cos(a) - x * np.sin(a))
            for a in np.linspace(0, 2 * np.pi, 24)
        ]
        drawn[name] = np.stack([outline(u, v)[0] > 0 for u, v in turned])
        assert 0.1 * SIZE**2 < drawn[name][0].sum() < 0.45 * SIZE**2, name
    for name in NAMES:
        for other in set(NAMES) - {name}:
            apart = (drawn[name][:, None] != drawn[other][:1]).sum((2, 3)).min()
            assert apart >= 50, (name, other)


def test_neither_a_mean_colour_nor_a_linear_classifier_tells_the_shapes_apart():
    from sklearn.linear_model import RidgeClassifier

    train_x, train_y, test_x, test_y = shapes(2000, 500)
    for view in (lambda x: x.mean((2, 3)), lambda x: x.reshape(len(x), -1)):
        found = RidgeClassifier(alpha=100).fit(view(train_x), train_y).score(view(test_x), test_y)
        assert found < 0.25


def test_shapes_refuse_a_count_below_one():
    with pytest.raises(ValueError, match="at least one image"):
        shapes(0, 10)


def test_standardized_takes_mean_and_spread_from_the_training_images_alone():
    train, test = np.random.default_rng(0).normal(3, 2, (2, 50, 3, 4, 4))
    done_train, done_test = standardized(train, test)
    np.testing.assert_allclose(done_train.mean((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(done_train.std((0, 2, 3)), 1)
    np.testing.assert_allclose(
        done_test, (test - train.mean((0, 2, 3), keepdims=True)) / train.std((0, 2, 3), keepdims=True)
    )


# --- downloads ---


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def send_head(self):
        self.server.asked.append(self.path)
        return super().send_head()


class Short(Quiet):
    """Promises the whole file and sends half."""

    def copyfile(self, source, outputfile):
        whole = source.read()
        outputfile.write(whole[: len(whole) // 2])


def serving(folder, handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder))
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def remote(tmp_path):
    """A folder, and a server of what is in it."""
    (tmp_path / "remote").mkdir()
    server = serving(tmp_path / "remote", Quiet)
    yield tmp_path / "remote", server
    server.shutdown()
    server.server_close()


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The folder that CONVNETS_DATA names; it is not there yet."""
    monkeypatch.setenv("CONVNETS_DATA", str(tmp_path / "kept"))
    return tmp_path / "kept"


def tiny_cifar():
    """Return an archive of CIFAR-10's form, two images a file, and those images."""
    rng, packed = np.random.default_rng(0), io.BytesIO()
    records = rng.integers(0, 256, (6, 2, 3073), dtype=np.uint8)
    records[:, :, 0] %= 10
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, rows in zip(
            ["test_batch", *(f"data_batch_{n}" for n in range(1, 6))], records, strict=True
        ):
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            entry.size = rows.nbytes
            archive.addfile(entry, io.BytesIO(rows.tobytes()))
    return packed.getvalue(), records


def address(server):
    return f"http://127.0.0.1:{server.server_address[1]}/"


@pytest.fixture
def cifar(remote, kept, monkeypatch):
    """CIFAR-10 of two images a file, to be had from the server."""
    folder, server = remote
    packed, records = tiny_cifar()
    (folder / "tiny.tar.gz").write_bytes(packed)
    there = downloads.Remote(address(server), "tiny.tar.gz", hashlib.md5(packed).hexdigest())
    monkeypatch.setattr(downloads, "CIFAR10", there)
    return packed, records


def test_cifar10_is_downloaded_once_and_read_as_it_was_written(cifar, remote, kept):
    packed, records = cifar
    for _ in range(2):
        train_x, train_y, test_x, test_y = cifar10()
    assert len(remote[1].asked) == 1 and [path.name for path in kept.iterdir()] == ["tiny.tar.gz"]
    assert train_x.shape == (10, 3, 32, 32) and train_x.dtype == np.float32 and train_y.dtype == np.int64
    np.testing.assert_array_equal(train_y, records[1:, :, 0].ravel())
    np.testing.assert_array_equal(test_y, records[0, :, 0])
    np.testing.assert_allclose(test_x[1, 2, 31, 30], records[0, 1, 3072 - 1] / 255, rtol=1e-6)
    np.testing.assert_allclose(train_x[0, 0, 0], records[1, 0, 1:33] / 255, rtol=1e-6)


def test_a_file_put_into_the_folder_by_hand_is_used_without_asking_anybody(cifar, remote, kept):
    kept.mkdir()
    (kept / "tiny.tar.gz").write_bytes(cifar[0])
    assert cifar10()[0].shape == (10, 3, 32, 32)
    assert remote[1].asked == []


def test_a_partial_file_in_the_folder_is_fetched_again(cifar, remote, kept):
    kept.mkdir()
    (kept / "tiny.tar.gz").write_bytes(cifar[0][:1000])
    assert cifar10()[0].shape == (10, 3, 32, 32)
    assert len(remote[1].asked) == 1 and (kept / "tiny.tar.gz").read_bytes() == cifar[0]


def message(call):
    with pytest.raises(DataError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and caught.value._render_traceback_() == [f"DataError: {text}"]
    return text


def test_a_download_with_another_checksum_is_refused_and_not_kept(cifar, remote, kept):
    (remote[0] / "tiny.tar.gz").write_bytes(b"something else")
    assert "has not the published checksum" in message(cifar10)
    assert list(kept.iterdir()) == []


def test_a_download_that_breaks_off_says_so_and_leaves_nothing(cifar, remote, kept):
    remote[1].RequestHandlerClass = partial(Short, directory=remote[0])
    assert "the connection broke off" in message(cifar10)
    assert list(kept.iterdir()) == []


def test_a_server_without_the_file_says_so(cifar, remote, kept):
    (remote[0] / "tiny.tar.gz").unlink()
    assert "it answered 404" in message(cifar10)


def test_without_a_connection_the_message_says_where_to_put_the_file(cifar, remote, kept):
    remote[1].shutdown()
    remote[1].server_close()
    text = message(cifar10)
    assert "no connection" in text and f"put tiny.tar.gz into {kept} by hand" in text


def test_a_broken_file_that_cannot_be_fetched_again_is_named(cifar, remote, kept):
    kept.mkdir()
    (kept / "tiny.tar.gz").write_bytes(b"half")
    (remote[0] / "tiny.tar.gz").unlink()
    assert f"{kept / 'tiny.tar.gz'} is broken or incomplete" in message(cifar10)


def test_a_folder_that_cannot_be_written_is_named(cifar, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("CONVNETS_DATA", str(tmp_path / "file" / "data"))
    assert f"{tmp_path / 'file' / 'data'} cannot be written" in message(cifar10)


def test_the_shapes_take_the_place_of_a_missing_set_on_request_only(cifar, remote, kept, capsys):
    (remote[0] / "tiny.tar.gz").unlink()
    message(cifar10)
    train_x, *_ = cifar10(fallback=True)
    np.testing.assert_array_equal(train_x, shapes()[0])
    assert "404" in (said := capsys.readouterr().out) and "Here are shapes() instead." in said


@pytest.fixture
def fashion(remote, kept, monkeypatch):
    """Fashion-MNIST of three images and one."""
    folder, server = remote
    rng, there, arrays = np.random.default_rng(0), [], []
    for name, shape in (("a", (3, 28, 28)), ("b", (3,)), ("c", (1, 28, 28)), ("d", (1,))):
        array = rng.integers(0, 10, shape, dtype=np.uint8)
        head = struct.pack(f">HBB{len(shape)}i", 0, 8, len(shape), *shape)
        packed = gzip.compress(head + array.tobytes())
        (folder / f"{name}.gz").write_bytes(packed)
        there.append(downloads.Remote(address(server), f"{name}.gz", hashlib.md5(packed).hexdigest()))
        arrays.append(array)
    monkeypatch.setattr(downloads, "FASHION", tuple(there))
    return arrays


def test_fashion_mnist_is_read_as_it_was_written(fashion):
    train_x, train_y, test_x, test_y = fashion_mnist()
    assert train_x.shape == (3, 1, 28, 28) and test_x.shape == (1, 1, 28, 28)
    np.testing.assert_allclose(train_x[:, 0], fashion[0] / 255, rtol=1e-6)
    np.testing.assert_array_equal(train_y, fashion[1])
    np.testing.assert_array_equal(test_y, fashion[3])


def test_fashion_mnist_falls_back_to_images_of_its_own_form(fashion, remote, capsys):
    (remote[0] / "d.gz").unlink()
    train_x, train_y, *_ = fashion_mnist(fallback=True)
    assert train_x.shape == (5000, 1, 28, 28) and train_y.shape == (5000,)
