"""Small photographs, annotation files and a web site for the tests of the data package."""

import contextlib
import gzip
import io
import json
import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerastrash.data import DataConfig


def unpacked(name: str, folders: pytest.TempPathFactory) -> Path:
    path = folders.mktemp("taco") / "annotations.json"
    path.write_bytes(gzip.decompress((Path(__file__).parent / "taco" / f"{name}.json.gz").read_bytes()))
    return path


@pytest.fixture(scope="session")
def official_taco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TACO's official annotation file, without its images: 4,784 annotations of 1,500."""
    return unpacked("official", tmp_path_factory)


@pytest.fixture(scope="session")
def photographed_taco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotations of 258 images of TACO, without the images: 747 annotations."""
    return unpacked("photographed", tmp_path_factory)


@pytest.fixture
def scene() -> Callable[..., Image.Image]:
    """A picture, different for every seed, with large shapes as photographs have: perceptual hashes tell them apart."""

    def paint(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)

    return paint


@pytest.fixture
def draw(scene) -> Callable[..., Path]:
    """Writes a scene and returns its path."""

    def write(path: Path, seed: int = 0, size: tuple[int, int] = (40, 30), **options: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        scene(seed, size).save(path, **options)
        return path

    return write


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., Path]:
    """Writes an annotation file of two classes on one image of 40 x 30, any of its lists replaced."""

    def write(**replaced: Any) -> Path:
        document: dict[str, Any] = {
            "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
            "categories": [{"id": 1, "name": "can"}, {"id": 2, "name": "bottle"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 3, 10, 8]},
                {"id": 2, "image_id": 1, "category_id": 2, "bbox": [20, 3, 10, 8]},
            ],
        }
        path = tmp_path / "annotations.json"
        path.write_text(json.dumps(document | replaced))
        return path

    return write


@pytest.fixture
def class_folders(tmp_path: Path, draw: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a folder of class folders with so many photographs each, all different."""

    def write(**counts: int) -> Path:
        folder = tmp_path / "photographs"
        for name, count in counts.items():
            for index in range(count):
                draw(folder / name / f"{index}.png", seed=sum(map(ord, name)) * 1000 + index)
        return folder

    return write


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """Lets no file grow beyond a number of bytes, as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def annotations(coco, draw, tmp_path: Path) -> Path:
    """An annotation file of 28 boxes of two classes on 14 photographs, and of one box without area."""
    images, boxes = [], []
    for number in range(14):
        path = draw(tmp_path / f"{number}.png", seed=number)
        images.append({"id": 100 + number, "file_name": path.name, "width": 40, "height": 30, "license": number % 2})
    for number in range(28):
        box = [1.1, number % 3, 9.3 + number % 5, 8 + number % 7]
        boxes.append({"id": number, "image_id": 100 + number // 2, "category_id": 1 + number % 2, "bbox": box})
    boxes[3]["area"] = 51.7
    boxes.append({"id": 28, "image_id": 100, "category_id": 1, "bbox": [1, 1, 0, 5]})
    return coco(images=images, annotations=boxes, licenses=[{"id": 1, "name": "CC BY 4.0"}])


@pytest.fixture
def config(annotations: Path, tmp_path: Path) -> DataConfig:
    """The annotated set, of which TFDS sets are built in the folder `tfds`."""
    return DataConfig(data=str(annotations), tfds_folder=tmp_path / "tfds", cache=tmp_path / "cache")


@pytest.fixture
def built(config: DataConfig) -> DataConfig:
    """The same, after it has been built as `small`."""
    from kerastrash.data.tfds_build import build_set  # loads tensorflow_datasets, a second of imports

    build_set(config, "small")
    return config


@dataclass(frozen=True)
class Answer:
    """One answer of the site: `cut` bytes of the body come, then nothing more (`stall`) or the end of the connection.

    `pause` is the seconds between two bytes; `length` whether the length of the body is stated; a `bare` answer is the
    body alone, without status and headers.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: bool = False
    pause: float = 0.0
    length: bool = True
    bare: bool = False


@dataclass
class Site:
    """`site.add("/a.png", Answer(status=500), Answer(body))`: answers in turn, the last one from then on."""

    address: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    otherwise: Callable[[str], Answer] = lambda path: Answer(status=404)

    def add(self, path: str, *answers: Answer) -> str:
        """Sets the answers and returns the address."""
        self.answers[path] = list(answers)
        return self.address + path

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        self.asked.append((path, headers))
        queue = self.answers.get(path) or [self.otherwise(path)]
        return queue.pop(0) if len(queue) > 1 else queue[0]


class SiteHandler(BaseHTTPRequestHandler):
    """Serves the site."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        answer = self.site.answer(self.path, dict(self.headers))
        stated = {"Content-Length": str(len(answer.body))} if answer.length else {}
        if not answer.bare:
            self.send_response(answer.status)
            for name, value in {**answer.headers, **stated}.items():
                self.send_header(name, value)
            self.end_headers()
        self.close_connection = answer.cut is not None or not answer.length
        body = answer.body[: answer.cut]
        with contextlib.suppress(OSError):  # the client has left
            for piece in [body] if not answer.pause else [body[i : i + 1] for i in range(len(body))]:
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(answer.pause)
            if answer.stall:
                self.site.closing.wait(30)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    """A site at http://127.0.0.1:PORT that answers as it is told, well or badly."""
    site = Site()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (SiteHandler,), {"site": site})) as server:
        server.handle_error = lambda request, client_address: None  # a client that has gone away
        site.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield site
        site.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def answer() -> type[Answer]:
    """The class of the site's answers."""
    return Answer


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """An encoded picture of one colour, of exactly this size."""

    def encode(size: tuple[int, int] = (40, 30), colour: int = 90, kind: str = "PNG", **options: Any) -> bytes:
        stream = io.BytesIO()
        Image.new("RGB", size, (colour % 256, 120, 60)).save(stream, kind, **options)
        return stream.getvalue()

    return encode
