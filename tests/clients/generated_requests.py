"""Hooks of Schemathesis: about half of the generated requests name things that are there, so that they come further than 404.

FACTORY_KNOWN holds a JSON object: for each place of an operation (`path.id`, `body.template_name`) the values that are known there, or
an object that has them by how the operation's path begins. What is chosen depends on what was generated alone, so that a seed
always asks the same.
"""

import json
import os
import zlib

import schemathesis

KNOWN = json.loads(os.environ["FACTORY_KNOWN"])


def known(path, place, generated):
    """A value that is known at a place, or what was generated."""
    values = KNOWN.get(place, [])
    if isinstance(values, dict):
        values = next((found for begins, found in values.items() if path.startswith(begins)), [])
    chance = zlib.crc32(f"{path} {place} {generated!r}".encode("utf-8", "surrogatepass"))
    if not values or chance % 2:
        return generated
    return values[chance // 2 % len(values)]


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    path = context.operation.path
    if isinstance(path_parameters, dict):
        return {name: known(path, f"path.{name}", value) for name, value in path_parameters.items()}
    return path_parameters


@schemathesis.hook
def map_query(context, query):
    # Nobody waits here for what never ends.
    if isinstance(query, dict) and "wait" in query:
        query["wait"] = known(context.operation.path, "query.wait", query["wait"])
    return query


@schemathesis.hook
def map_body(context, body):
    path = context.operation.path
    if isinstance(body, dict):
        return {name: known(path, f"body.{name}", value) for name, value in body.items()}
    return body
