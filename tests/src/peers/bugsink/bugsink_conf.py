"""Bugsink for the system tests: on loopback, without quotas; an event is stored before the response."""
import os

from bugsink.settings.default import *  # noqa: F403

SECRET_KEY = "no secret: this server listens on loopback, for the length of one test run"
TIME_ZONE = "UTC"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
SNAPPEA = {"TASK_ALWAYS_EAGER": True}

# The data need not survive a crash of the machine.
for database in DATABASES.values():  # noqa: F405
    database["OPTIONS"]["init_command"] = "PRAGMA synchronous=OFF"

BUGSINK = {
    "BASE_URL": "http://127.0.0.1:" + os.environ.get("PORT", "8000"),
    "SINGLE_USER": True,
    "SINGLE_TEAM": True,
    "USER_REGISTRATION": "CB_NOBODY",
    "PHONEHOME": False,
    "INGEST_STORE_BASE_DIR": os.path.abspath("ingestion"),
    "EXTRA_URLCONF_MODULES": ["harness_urls"],
}
for per in "5_MINUTES", "HOUR", "MONTH":
    BUGSINK["MAX_EVENTS_PER_" + per] = BUGSINK["MAX_EVENTS_PER_PROJECT_PER_" + per] = 100_000_000
