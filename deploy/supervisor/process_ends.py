"""An event listener of supervisord that reports the processes that ended unexpectedly. An invalid configuration (78) is in exitcodes=,
so supervisord expects it: the service itself writes why it did not start.

The service writes its last words itself, except after SIGKILL, such as the kernel's when memory is short. Each report is a line of
JSON on stderr: stdout is supervisord's protocol.
"""
import datetime
import json
import sys


def fields(text):
    return dict(field.split(":", 1) for field in text.split())


while True:
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    head = sys.stdin.readline()
    if not head:
        break
    head = fields(head)
    event = fields(sys.stdin.read(int(head["len"])))
    if event.get("expected") != "1":
        report = {
            "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "level": "critical",
            "message": "%(groupname)s:%(processname)s has ended" % event,
            "event": head["eventname"],
        }
        sys.stderr.write(json.dumps(report) + "\n")
        sys.stderr.flush()
    sys.stdout.write("RESULT 2\nOK")
    sys.stdout.flush()
