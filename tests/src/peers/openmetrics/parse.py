"""Parses a file with metrics with Prometheus' own Python parsers, and writes them to stdout as JSON."""

import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

formats = {"openmetrics": openmetrics.text_string_to_metric_families, "classic": parser.text_string_to_metric_families}


def exemplar(sample):
    found = sample.exemplar
    return found and {"labels": found.labels, "value": found.value, "timestamp": float(found.timestamp)}


families = [
    {
        "name": family.name,
        "type": family.type,
        "unit": family.unit,
        "help": family.documentation,
        "samples": [
            {"name": sample.name, "labels": sample.labels, "value": sample.value, "exemplar": exemplar(sample)}
            for sample in family.samples
        ],
    }
    for family in formats[sys.argv[1]](open(sys.argv[2], encoding="utf-8", newline="").read())
]
json.dump(families, sys.stdout)
