"""JSON lines as a training set has them: ids, addresses, floats, text of words as unequally frequent as real ones."""

import itertools
import json
import pathlib
import random

SHARDS = 8
WORDS = 20_000
PHRASES = 150_000
SYLLABLES = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "in", "ou", "es")]


def frequencies(count):
    """Running sums of what Zipf's law gives each rank."""
    return list(itertools.accumulate(1 / (rank + 2.7) for rank in range(count)))


def vocabulary(source):
    """Words, and phrases of them: real text repeats more than single words."""
    words = ["".join(source.choices(SYLLABLES, k=source.choice((1, 2, 2, 3, 3, 4)))) for _ in range(WORDS)]
    weights = frequencies(WORDS)
    phrases = [" ".join(source.choices(words, cum_weights=weights, k=source.randint(2, 4))) for _ in range(PHRASES)]
    return words + phrases, weights + [weights[-1] + sum for sum in frequencies(PHRASES)]


def record(number, source, terms, weights):
    text = source.choices(terms, cum_weights=weights, k=source.randint(12, 70))
    for start in range(0, len(text), 7):
        text[start] = text[start].capitalize()
        if start:
            text[start - 1] += "."
    return {
        "id": f"{source.getrandbits(128):032x}",
        "number": number,
        "url": f"https://www.{slug(text[0])}.example/{source.randint(2009, 2025)}/{slug(text[3])}-{number}",
        "language": source.choices(("en", "de", "fr", "es"), weights=(80, 8, 6, 6))[0],
        "text": " ".join(text) + ".",
        "score": round(source.random(), 6),
        "perplexity": round(source.lognormvariate(5, 0.6), 3),
        "topics": [round(source.random(), 4) for _ in range(4)],
        "duplicate_of": None,
    }


def slug(term):
    return term.lower().rstrip(".").replace(" ", "-")


def write(directory, size):
    """Writes `size` bytes or a little more in shards of equal size."""
    source = random.Random("records")
    terms, weights = vocabulary(source)
    numbers = itertools.count()
    pathlib.Path(directory).mkdir(parents=True)
    for shard in range(SHARDS):
        with open(pathlib.Path(directory, f"train-{shard:05}-of-{SHARDS:05}.jsonl"), "w", encoding="ascii") as file:
            written = 0
            while written < size / SHARDS:
                written += file.write(json.dumps(record(next(numbers), source, terms, weights)) + "\n")
