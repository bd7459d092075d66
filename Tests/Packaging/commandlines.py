"""Whether a command line is one that `lockstep` understands, by what the binary says of its own arguments."""

import functools
import json

from checkout import run
from lockstep_binary import binary


@functools.cache
def tree():
    return json.loads(run(binary(), "--experimental-dump-help").stdout)["command"]


def fault(words, whole=True):
    """What is wrong with `lockstep WORDS…`, or None. Prose may leave out arguments (`whole` is false), never invent one."""
    command, words = tree(), list(words)
    while words:
        child = next((child for child in command.get("subcommands", []) if child["commandName"] == words[0]), None)
        if child is None:
            break
        command = child
        words.pop(0)
    if command.get("subcommands"):
        return None if words and words[0] in ("--help", "--version") else f"no command in {words}"
    options, positionals = {}, []
    for argument in command["arguments"]:
        if argument["kind"] == "positional":
            positionals.append(argument)
        for name in argument.get("names", []):
            options[("-" if name["kind"] == "short" else "--") + name["name"]] = argument
    given = 0
    while words:
        word = words.pop(0)
        if word.startswith("-") and word != "-":
            name, _, value = word.partition("=")
            argument = options.get(name)
            if argument is None:
                return f"{command['commandName']} has no {name}"
            if argument["kind"] == "option" and not value:
                if not words:
                    return f"{name} without a value" if whole else None
                words.pop(0)
        else:
            given += 1
    if given > len(positionals) and not any(argument["isRepeating"] for argument in positionals):
        return f"{given} arguments for {command['commandName']}"
    if whole and given < sum(not argument["isOptional"] for argument in positionals):
        return f"{given} arguments for {command['commandName']}"
    return None
