"""Each request is made by a caller who has just signed in: those before it may have signed out, or worse."""

import json
import os
import unicodedata
import urllib.request
from itertools import count

import schemathesis
from schemathesis.core.parameters import ParameterLocation

PLACEHOLDER = "Bearer a token that is got when the request is sent"
turns = count()


@schemathesis.auth(refresh_interval=None)
class Caller:
    def get(self, case, context):
        return PLACEHOLDER

    def set(self, case, header, context):
        case.headers["Authorization"] = header


@schemathesis.hook
def before_call(context, case, kwargs):
    with urllib.request.urlopen(os.environ["CALLER"]) as answer:
        caller = json.load(answer)

    if case.headers.get("Authorization") == PLACEHOLDER:
        case.headers["Authorization"] = f"Bearer {caller['accessToken']}"
    if case.meta and case.meta.phase.name != "stateful":
        ask_for_what_there_is(case, caller)
    if case.meta and isinstance(case.body, dict) and case.path.startswith("/users"):
        keep_rules_in_words(case, caller)


def ask_for_what_there_is(case, caller):
    """Two of three requests by an id are for one that there is: those that are made up are all answered 404 or 403."""
    ids = {"/users/{id}": caller["users"], "/sessions/{id}": caller["sessions"]}.get(case.path, [])
    turn = next(turns) % 3

    if ids and turn > 0 and not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters["id"] = ids[turn % len(ids)]
    if "userId" in (case.query or {}) and turn > 0 and not case.meta.is_negative_at(ParameterLocation.QUERY):
        case.query["userId"] = caller["users"][0]


def keep_rules_in_words(case, caller):
    """What descriptions say and JSON Schema has no words for: normalization, weak passwords, the current password."""
    body = case.body
    password = body.get("password")
    is_positive = case.meta.generation.mode.is_positive

    if isinstance(password, str):
        if has_length(password) != has_length(unicodedata.normalize("NFKC", password)):
            body["password"] = "not one of the most common" if is_positive else "x" * len(password)
        elif is_positive and is_guessed_first(password, str(body.get("email"))):
            body["password"] = "not one of the most common"
    if is_positive and case.method == "PATCH" and {"email", "password"} & set(body):
        body.setdefault("currentPassword", caller["password"])


def is_guessed_first(password, email):
    """Likely to be one of the most common, or the email of somebody, or what stands before its @."""
    return len(set(password)) < 5 or "@" in password or email.lower().startswith(password.lower())


def has_length(password):
    return 8 <= len(password) <= 128
