"""Runs the plugins of detect-secrets on a file, and prints the lines with findings as JSON.

The command of detect-secrets does the same, but takes minutes for 100,000 lines. Its filters against false alarms are not
applied: they could only hide findings.
"""
import json
import multiprocessing
import re
import sys

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins import high_entropy_strings, ip_public, keyword

# The redactor measures no entropy, and addresses are data.
OFF = (high_entropy_strings.HighEntropyStringsPlugin, ip_public.IPPublicDetector)
PLUGINS = [plugin() for plugin in get_mapping_from_secret_type_to_class().values() if not issubclass(plugin, OFF)]
# Each expression of this plugin contains one of these words, and is slow.
WORD = re.compile("|".join(keyword.DENYLIST), re.IGNORECASE)
CHUNK = 1000


def finds(plugin, text):
    return any(secret != "[redacted]" for secret in plugin.analyze_string(text))


def scan(chunk):
    first, lines = chunk
    found = set()
    for plugin in PLUGINS:
        if isinstance(plugin, keyword.KeywordDetector):
            # It reports the first finding of a text only.
            suspects = [n for n, line in enumerate(lines) if WORD.search(line)]
        else:
            suspects = range(len(lines)) if finds(plugin, "\n".join(lines)) else []
        found.update(first + n for n in suspects if finds(plugin, lines[n]))
    return sorted(found)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = file.read().split("\n")
    chunks = [(first + 1, lines[first : first + CHUNK]) for first in range(0, len(lines), CHUNK)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(json.dumps(sum(pool.map(scan, chunks), [])))
