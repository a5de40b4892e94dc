"""Films: as many pictures as frames, each another one; formats; wrong arguments."""

import re
import subprocess
from itertools import pairwise

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image, ImageSequence

from rltheory.plots import animate


def draw(ax, frame):
    ax.plot([0, frame], [0, 1])
    ax.set_xlim(0, 3)


@pytest.mark.parametrize("ending", ["gif", "png"])
def test_film_has_a_picture_for_each_frame(ending, tmp_path):
    film = animate(draw, (frame for frame in (1, 2, 3)), tmp_path / f"line.{ending}", rate=5, dots=50)
    with Image.open(film) as image:
        pictures = [np.asarray(picture.convert("L")) for picture in ImageSequence.Iterator(image)]
        assert image.info["duration"] == 200  # milliseconds
    assert len(pictures) == 3
    assert pictures[0].shape == (240, 320)
    assert not any((one == other).all() for one, other in pairwise(pictures))


def test_axes_do_not_move(tmp_path):
    places = []

    def labelled(ax, frame):
        draw(ax, frame)
        ax.set_ylabel("x\n" * frame)
        ax.figure.canvas.draw()
        places.append(ax.get_position().bounds)

    animate(labelled, [1, 2, 3], tmp_path / "line.gif", dots=50)
    assert places[1] == places[2]


def test_mp4_can_be_read_by_its_decoder(tmp_path):
    film = animate(draw, [1, 2, 3, 3], tmp_path / "line.mp4", rate=4, width=3.33, dots=50)
    told = subprocess.run([get_ffmpeg_exe(), "-i", film, "-f", "null", "-"], capture_output=True, text=True).stderr
    assert re.search(r"Video: h264.*yuv420p.*166x240", told)
    assert re.findall(r"frame= *(\d+)", told)[-1] == "4"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frames": []}, "frames is empty"),
        ({"file": "film.avi"}, r"film.avi: films are written to .png, .gif and .mp4"),
        ({"rate": 0}, "rate is 0"),
        ({"dots": -1}, "dots is -1"),
        ({"width": 0}, "width is 0"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, wrong, message):
    given = {"frames": [1], "file": "film.gif"} | wrong
    with pytest.raises(ValueError, match=message):
        animate(draw, given.pop("frames"), tmp_path / given.pop("file"), **given)
    assert not list(tmp_path.iterdir())
