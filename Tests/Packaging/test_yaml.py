"""Every YAML file of Config, by yamllint."""

import yaml

from checkout import CONFIG, run

RULES = {
    "extends": "default",
    "rules": {
        "document-start": "disable",
        "line-length": {"max": 160, "allow-non-breakable-words": True},
        "braces": {"max-spaces-inside": 0},
        "truthy": {"check-keys": False},
        # Modes of files are octal.
        "octal-values": "disable",
        "comments": {"min-spaces-from-content": 1},
        "indentation": {"spaces": 2, "indent-sequences": "consistent"},
    },
}


def test_style():
    files = [path for path in CONFIG.rglob("*.y*ml") if "templates" not in path.parts]
    assert len(files) > 10
    run("yamllint", "--strict", "-d", yaml.safe_dump(RULES), *files)
