"""A card's keys and words are known, and mean the same to `score`, `check`, `submit` and the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.brought import entries, lines, run_of, split_with
from helpers.commands import Ask, ask  # noqa: F401
from helpers.small import small_split
from made_up.methods import Heats

from reports.supervision import GROUPS, of_card
from risbench import DataError, RisbenchError, Split, UsageError, evaluate, score
from risbench.leaderboard.submit import verify
from risbench.methods.cards import KEYS, SUPERVISION, SYNONYMS, read_card, supervision_fault, unknown_keys
from risbench.methods.contract_check import check_method

FLOORS = {"centre", "full", "random_box", "random_point", "oracle_box", "oracle_class", "random_same_class"}
SHIPPED = FLOORS | {"clip_sim", "groupvit", "clip_gradcam", "clip_gae", "clip_es", "tris"}


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return split_with(tmp_path / "data")


@pytest.fixture
def brought(split: Split, tmp_path: Path) -> Path:
    return lines(tmp_path / "ours.jsonl", entries(split))


def card(folder: Path, text: str) -> Path:
    path = folder / "card.toml"
    path.write_text(text)
    return path


def test_every_word_of_supervision_has_its_group_in_the_tables():
    assert set(GROUPS) == {*SUPERVISION, ""}
    for word in (*SUPERVISION, *SYNONYMS):
        assert of_card({"supervision": f"{word} + SAM"}).group == SYNONYMS.get(word, word)
        assert supervision_fault({"supervision": word.upper()}) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('supervison = "text"', r"no key 'supervison' \(did you mean 'supervision'\?\); its keys are name, paper"),
        ('license = "MIT"', r"no key 'license' \(did you mean 'licence'\?\)"),
        ("[method]\nname = 'a'", "no key 'method'"),
        ('supervision = "txet"', "supervision 'txet' does not begin with a group of the tables .*did you mean 'text'"),
        ('supervision = "weakly supervised"', r"\(mask, box, class, text, none, oracle\)"),
        ("supervision = true", "supervision 'True' does not begin with a group"),
        ('grade = "nativ"', "grade 'nativ' must be one of native, hosted, external"),
        ("reads = [1]", "reads is a text or a list of texts"),
        ("paper = " + 5000 * "[" + 5000 * "]", "not TOML"),
    ],
)
def test_a_misspelt_card_is_refused_with_the_near_words(split: Split, brought: Path, text: str, reason: str):
    file = card(brought.parent, text)
    with pytest.raises(DataError, match=reason) as caught:
        run_of(brought, split, brought.parent / "run", card=file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ['"0.5"', "nan", "true"])
def test_a_threshold_of_a_card_is_a_number_under_every_rule(split: Split, brought: Path, value: str):
    for rules in ("tris", "clean"):
        with pytest.raises(UsageError, match="threshold of a method's card must be a number"):
            score(
                brought,
                split,
                rules=rules,
                card=card(brought.parent, f"threshold = {value}"),
                out=brought.parent / "run",
            )


def test_every_key_of_a_card_may_stand_in_a_file(tmp_path: Path):
    values: dict[str, str] = {
        "supervision": '"text + SAM"',
        "grade": '"external"',
        "threshold": "0.5",
        "reads": '"box"',
    }
    text = "\n".join(f"{key} = {values.get(key, repr('x'))}" for key in KEYS)
    assert set(read_card(card(tmp_path, text))) == set(KEYS)


def test_a_name_goes_before_that_of_the_card_and_of_the_run(split: Split, brought: Path):
    folder = brought.parent
    file = card(folder, 'name = "Card"')
    assert run_of(brought, split, folder / "1").summary["method"] == "ours"
    assert run_of(brought, split, folder / "2", card=file).summary["method"] == "Card"
    assert run_of(brought, split, folder / "3", card=file, name="Given").summary["method"] == "Given"
    assert run_of(folder / "2", split, folder / "4", name="Again").summary["method"] == "Again"
    for empty in ("", " "):
        with pytest.raises(UsageError, match="--name is empty"):
            run_of(brought, split, folder / "5", name=empty)


def test_the_command_line_names_the_method(split: Split, brought: Path, ask: Ask):  # noqa: F811
    words = ["score", brought, "--split", split.name, "--data-root", split.data_root, "--out", "run"]
    done = ask(*words, "--name", "Ours v2")
    assert (done.code, "Ours v2 on refcoco_val" in done.out) == (0, True), done.err


def test_the_cards_of_all_shipped_methods_name_their_group(ask: Ask):  # noqa: F811
    methods = json.loads(ask("list", "methods", "--json").out)
    cards = {method["name"]: method["card"] for method in methods if method["name"] in SHIPPED}
    assert set(cards) == SHIPPED
    assert [name for name, found in cards.items() if supervision_fault(found) or unknown_keys(found)] == []


class Carded(Heats):
    def __init__(self, **more: Any) -> None:
        super().__init__()
        self.card = {"grade": "native", "supervision": "none", **more}


def test_check_names_unknown_words_and_keys_of_a_methods_card(tmp_path: Path):
    scenes = small_split(tmp_path, 2)
    finding = check_method(Carded(supervision="txt"), scenes, 1)[0]
    assert not finding.holds
    assert "supervision 'txt' does not begin with a group of the tables" in finding.detail
    finding = check_method(Carded(licenze="MIT", background="sky"), scenes, 1)[0]
    assert finding.holds
    assert finding.detail == (
        "no table reads these keys of the card: 'licenze' (did you mean 'licence'?), 'background'"
    )
    assert check_method(Carded(paper="here"), scenes, 1)[0] == finding._replace(detail="")


def test_a_methods_own_keys_do_not_break_its_runs_nor_scoring_them_again(tmp_path: Path):
    scenes = small_split(tmp_path / "data", 2)
    run = evaluate(Carded(background="sky", supervision="odd"), scenes, out=tmp_path / "run")
    assert run.header["method"]["card"]["background"] == "sky"
    again = score(tmp_path / "run", scenes, card=card(tmp_path, 'supervision = "text"'), out=tmp_path / "again")
    assert again.header["method"]["card"] == {**run.header["method"]["card"], "supervision": "text"}


def test_a_run_of_an_unknown_supervision_does_not_enter_the_board(tmp_path: Path):
    scenes = small_split(tmp_path / "data", 2)
    run = evaluate(Carded(supervision="weak"), scenes, out=tmp_path / "run")
    with pytest.raises(RisbenchError, match=r"cannot be entered: .*supervision 'weak' does not begin with a group"):
        verify(run)
