"""Flask behind gunicorn with sentry-sdk, set up as in their documentation: a JSON line with the body of each response."""

import json
import logging
import os
import sys

import sentry_sdk
from flask import Flask, Response, request

sentry_sdk.init(dsn=os.environ["SENTRY_DSN"])

with open(os.environ["ORDER"], encoding="utf-8") as file:
    BODY = file.read()

app = Flask(__name__)
handler = logging.StreamHandler(sys.stderr)
handler.setFormatter(logging.Formatter("%(message)s"))
app.logger.handlers = [handler]
app.logger.setLevel(logging.INFO)


@app.after_request
def log_body(response):
    app.logger.info(
        json.dumps(
            {
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "body": response.get_data(as_text=True),
            }
        )
    )
    return response


@app.get("/bench/order")
def order():
    return Response(BODY, mimetype="application/json")
