"""Demos: each page runs, draws, tells its picture in words, and follows its sliders."""

from importlib import import_module

import pytest

from rltheory.demos import demo_names, serve_demos


def shown(outputs):
    """Texts of the outputs that are pictures."""
    return [output.text for output in outputs if output is not None and "<figure" in output.text]


@pytest.mark.parametrize("name", demo_names())
def test_page_draws_its_pictures_and_tells_them(name):
    outputs, _ = import_module(f"rltheory.demos.pages.{name}").app.run()
    pictures = shown(outputs)
    assert pictures
    for picture in pictures:
        assert 'role="img" aria-label="' in picture
        assert "<svg" in picture


def test_home_page_links_to_all():
    outputs, _ = import_module("rltheory.demos.pages.home").app.run()
    for name in demo_names():
        assert f'href="/{name}"' in outputs[-1].text


@pytest.mark.parametrize(
    ("name", "message"), [("clif", "no demo is called 'clif'; did you mean cliff"), ("x", "there are bandits, cliff")]
)
def test_unknown_demo_is_named(name, message):
    with pytest.raises(ValueError, match=message):
        serve_demos(pytest.fail, name=name)
