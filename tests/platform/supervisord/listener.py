"""An event listener of supervisord that appends the head and the body of each event to a file."""
import sys

with open(sys.argv[1], "a", buffering=1) as log:
    while True:
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        head = sys.stdin.readline()
        if not head:
            break
        length = int(dict(pair.split(":") for pair in head.split())["len"])
        log.write(head + sys.stdin.read(length) + "\n")
        sys.stdout.write("RESULT 2\nOK")
        sys.stdout.flush()
