"""Creates Bugsink's databases and a pool of projects: `setup.py migrate COUNT`. Prints the projects as [[id, key], ...].

Bugsink's settings read the word `migrate` and then raise the query timeout.
"""
import json
import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "bugsink_conf"
import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from projects.models import Project  # noqa: E402
from teams.models import Team  # noqa: E402

for database in "default", "snappea":
    call_command("migrate", database=database, verbosity=0)

team = Team.objects.create(name="tests")
pool = Project.objects.bulk_create(
    Project(name=name, slug=name, team=team, alert_on_new_issue=False, retention_max_event_count=100_000_000)
    for name in (f"p{n}" for n in range(int(sys.argv[2])))
)
print(json.dumps([[project.id, project.sentry_key.hex] for project in pool]))
