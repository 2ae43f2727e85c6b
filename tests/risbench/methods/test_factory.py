"""A method is made from the name of its entry point, and options become what its factory says."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Literal, Optional

import pytest

from risbench import RisbenchError, UsageError, plugins
from risbench.methods import factory as factories

Install = Callable[[Callable[..., Any]], str]


class _Method:
    """A method that only holds what its factory was given."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def predict(self, image: Any, texts: list[str]) -> list[Any]:
        raise NotImplementedError


def make(name: str, **arguments: Any) -> tuple[Any, dict[str, Any]]:
    """What a factory was given, and the options."""
    method, options = factories.make(name, **arguments)
    return method.given, options


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a factory behind an entry point; gives its name."""

    def put(factory: Callable[..., Any]) -> str:
        made = wraps(factory)(lambda **given: _Method(factory(**given)))  # with the signature of the factory
        monkeypatch.setitem(globals(), "_factory", made)
        point = EntryPoint("mine", f"{__name__}:_factory", plugins.METHODS)
        monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == plugins.METHODS else [])
        return "mine"

    return put


def _everything(
    *,
    flag: bool = False,
    count: int = 1,
    share: float = 0.5,
    word: str = "a",
    folder: Path = Path("here"),
    mode: Literal["fast", "slow", 3] = "fast",
    maybe: Optional[int] = None,  # noqa: UP045  (both spellings are in use)
    perhaps: float | None = None,
    either: int | Literal["all"] = 1,
    bare=None,
) -> dict[str, Any]:
    return locals()


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        *(("flag", text, True) for text in ("true", "True", "1", "yes", "on")),
        *(("flag", text, False) for text in ("false", "FALSE", "0", "no", "off")),
        ("count", "-3", -3),
        ("share", "1e-3", 0.001),
        ("share", "2", 2.0),
        ("word", "1", "1"),
        ("word", "", ""),
        ("word", "none", "none"),
        ("folder", "a/b", Path("a/b")),
        ("mode", "slow", "slow"),
        ("mode", "3", 3),
        ("maybe", "7", 7),
        ("maybe", "none", None),
        ("maybe", "None", None),
        ("perhaps", "0.25", 0.25),
        ("perhaps", "none", None),
        ("either", "5", 5),
        ("either", "all", "all"),
        ("bare", "5", "5"),
    ],
)
def test_texts_become_what_the_factory_says(install: Install, key: str, text: str, value: Any):
    built, options = make(install(_everything), options={key: text})
    assert built[key] == value
    assert type(built[key]) is type(value)
    assert options[key] == value
    # The defaults of all the others are reported, too.
    assert options == {**_everything(), key: value}


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("flag", "maybe", "must be true or false"),
        ("count", "1.5", r"must be a number \(int\)"),
        ("count", "many", r"must be a number \(int\)"),
        ("count", "none", r"must be a number \(int\)"),
        ("share", "half", r"must be a number \(float\)"),
        ("mode", "medium", "must be one of fast, slow, 3"),
        ("maybe", "some", r"must be a number \(int\)"),
        ("either", "most", "must be one of all"),
    ],
)
def test_a_text_that_does_not_convert_is_refused(install: Install, key: str, text: str, reason: str):
    with pytest.raises(UsageError, match=f"--set {key}={text}: {reason}"):
        make(install(_everything), options={key: text})


def test_an_unknown_option_lists_the_near_ones(install: Install):
    with pytest.raises(UsageError, match="no option 'shares': did you mean 'share'"):
        make(install(_everything), options={"shares": "1"})
    with pytest.raises(UsageError, match="no option 'zzzz': there are flag, count"):
        make(install(_everything), options={"zzzz": "1"})
    with pytest.raises(UsageError, match="no option 'x': it has no options"):
        make(install(lambda: object()), options={"x": "1"})


def test_a_factory_with_open_options_gets_them_as_texts(install: Install):
    def factory(*, size: int = 3, **more: Any) -> dict[str, Any]:
        return {"size": size, **more}

    built, options = make(install(factory), weights="w.pt", options={"size": "4", "other": "5"})
    assert built == {"size": 4, "other": "5", "weights": "w.pt", "device": "cpu"}
    assert options == {"size": 4, "other": "5"}


@pytest.mark.parametrize("key", ["weights", "device", "split", "data_root"])
def test_what_has_an_option_of_its_own_is_not_set(install: Install, key: str):
    with pytest.raises(UsageError, match=f"give --{key.replace('_', '-')} instead"):
        make(install(lambda *, weights=None, device="cpu", split=None, data_root=None: None), options={key: "x"})


def test_a_factory_gets_what_it_asks_for_and_nothing_else(install: Install):
    everything = {"weights": "w", "device": "cuda:1", "split": "shapes_val", "data_root": Path("d")}
    assert make(install(lambda *, split, data_root: (split, data_root)), **{**everything, "weights": None})[0] == (
        "shapes_val",
        Path("d"),
    )
    assert make(install(lambda *, weights=None, device="cpu": (weights, device)), **everything)[0] == ("w", "cuda:1")
    assert make(install(lambda: "bare"), device="cpu")[0] == "bare"


def test_weights_for_a_method_without_are_refused(install: Install):
    with pytest.raises(UsageError, match="'mine' takes no weights"):
        make(install(lambda *, device="cpu": None), weights="w.pt")


def test_what_a_method_needs_is_asked_for(install: Install):
    with pytest.raises(UsageError, match="needs --weights"):
        make(install(lambda *, weights: None))
    with pytest.raises(UsageError, match="needs --set layers="):
        make(install(lambda *, layers: None))
    assert make(install(lambda *, layers: layers), options={"layers": "2"})[0] == "2"


def test_a_needed_option_may_be_given_as_none(install: Install):
    def factory(*, layers: int | None) -> Any:
        return [layers]

    built, options = make(install(factory), options={"layers": "none"})
    assert built == [None]
    assert options == {"layers": None}


def test_an_unknown_method_lists_the_near_ones(install: Install):
    name = install(lambda: "made")
    with pytest.raises(UsageError, match="no method named 'mime': did you mean 'mine'"):
        make("mime")
    assert make(name)[0] == "made"


def test_a_method_that_cannot_be_imported_says_so(monkeypatch: pytest.MonkeyPatch):
    points = [
        EntryPoint("gone", "no_such_module_at_all:make", plugins.METHODS),
        EntryPoint("hollow", "risbench.methods:no_such_name", plugins.METHODS),
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    with pytest.raises(RisbenchError, match=r"'gone'.*cannot be imported: No module"):
        make("gone")
    with pytest.raises(RisbenchError, match=r"'hollow'.*does not exist"):
        make("hollow")


def test_an_annotation_that_cannot_be_read_is_said(install: Install):
    def factory(*, size: NoSuchType = 1) -> None:  # noqa: F821  # type: ignore[name-defined]
        pass

    with pytest.raises(RisbenchError, match="'mine': an annotation of its factory cannot be read"):
        make(install(factory))


def test_a_factory_that_has_the_keyword_is_given_the_name_of_the_rules(install: Install):
    name = install(lambda *, rules=None: {"rules": rules})
    assert make(name, rules="lavt") == ({"rules": "lavt"}, {})
    with pytest.raises(UsageError, match="give --rules instead"):
        make(name, options={"rules": "tris"})


def test_a_factory_without_the_keyword_is_made_as_before(install: Install):
    assert make(install(lambda *, count=1: count), rules="lavt") == (1, {"count": 1})
