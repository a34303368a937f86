"""Runs the program of Vector's configuration on each line of a log, as the source kubernetes_logs would pass it on."""

import json
import sys

import pyvrl
import yaml

configuration, log = sys.argv[1:]
with open(configuration) as file:
    program = pyvrl.Transform(yaml.safe_load(file)["transforms"]["parsed"]["source"] + "\n.")
with open(log, encoding="utf-8", newline="\n") as file:
    for line in file:
        event = program.remap({"message": line.removesuffix("\n"), "kubernetes": {"pod_name": "cyanotype-1"}})
        time = event.get("timestamp")
        event["type of timestamp"] = type(time).__name__
        if time is not None:
            event["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        print(json.dumps(event))
