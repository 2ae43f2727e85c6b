"""BERT and its WordPiece, for the rivals that read words with it. The names below are the public ones."""

from .files import bert_sizes, find_vocabulary, load_bert, looks_like_bert, tidied
from .transformer import Bert, BertSizes, draw_weights
from .wordpiece import WordPiece

__all__ = [
    "Bert",
    "BertSizes",
    "WordPiece",
    "bert_sizes",
    "draw_weights",
    "find_vocabulary",
    "load_bert",
    "looks_like_bert",
    "tidied",
]
