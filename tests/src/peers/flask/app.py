"""A Flask app with sentry-sdk as its documentation installs it. Each route fails in one way."""
import logging
import os

import sentry_sdk
from flask import Flask
from werkzeug.serving import make_server

sentry_sdk.init(dsn=os.environ["SENTRY_DSN"], environment="stage", release="shop@1.2.3")
app = Flask(__name__)


class NoStock(Exception):
    pass


class Closed(Exception):
    pass


def no_stock():
    raise NoStock("no stock") from Closed("the warehouse is closed")


@app.post("/uncaught")
def uncaught():
    no_stock()


@app.post("/caught")
def caught():
    try:
        no_stock()
    except NoStock as error:
        sentry_sdk.capture_exception(error)
    return "", 204


@app.post("/captured_then_raised")
def captured_then_raised():
    try:
        no_stock()
    except NoStock as error:
        sentry_sdk.capture_exception(error)
        raise


@app.post("/logged_then_raised")
def logged_then_raised():
    try:
        no_stock()
    except NoStock:
        logging.exception("the request is about to fail")
        raise


@app.post("/logged")
def logged():
    logging.error("sku %s is missing", 17)
    return "", 204


@app.post("/message")
def message():
    sentry_sdk.capture_message("stock is low", level="info")
    return "", 204


@app.post("/breadcrumbs")
def breadcrumbs():
    logging.info("reading the stock")
    sentry_sdk.add_breadcrumb(category="stock", message="stock requested", level="info")
    no_stock()


@app.post("/scope")
def scope():
    sentry_sdk.set_tag("region", "eu")
    sentry_sdk.set_user({"id": "7"})
    sentry_sdk.set_context("cart", {"items": 2})
    no_stock()


@app.post("/crash")
def crash():
    assert False, "the index is out of bounds"


@app.post("/status")
def status():
    return "busy", 503


@app.post("/flush")
def flush():
    sentry_sdk.flush(timeout=20)
    return "", 204


logging.getLogger("werkzeug").setLevel(logging.ERROR)
make_server("127.0.0.1", int(os.environ["PORT"]), app).serve_forever()
