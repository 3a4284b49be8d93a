"""The description of the API, made from the types that decode its bodies."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

import thinslice
from thinslice.server.api import photo_schemas, schemas, title_schemas
from thinslice.server.photo_questions import CLASSIFY, OF_A_PHOTO, WISHES

_BATCH: dict[str, Any] = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "writeKey": {"type": "string", "description": "In place of the Authorization header."},
        "sentAt": {"type": "string", "description": "The client's clock when it sent this."},
        "batch": {
            "type": "array",
            "description": "At most 100 events; 1000 with the secret key.",
            "items": {
                "type": "object",
                "required": ["type", "messageId"],
                "properties": {
                    "type": {"enum": ["track", "page", "screen", "identify", "group", "alias"]},
                    "messageId": {"type": "string", "minLength": 1, "maxLength": 100},
                    "anonymousId": {"type": ["string", "integer", "null"]},
                    "userId": {"type": ["string", "integer", "null"]},
                    "event": {"type": ["string", "null"], "maxLength": 200},
                    "name": {"type": ["string", "null"]},
                    "timestamp": {"type": ["string", "number", "null"]},
                    "sentAt": {"type": ["string", "number", "null"]},
                    "properties": {"type": ["object", "null"]},
                    "context": {"type": ["object", "null"]},
                },
            },
        },
    },
}
_STRUCTS = (
    schemas.BatchAnswer,
    schemas.RecommendationsBody,
    schemas.RecommendationsAnswer,
    schemas.ProductsBody,
    schemas.ProductChangesBody,
    schemas.ProductsAnswer,
    schemas.ProductAnswer,
    schemas.ExperimentBody,
    schemas.RampBody,
    schemas.StopBody,
    schemas.KillBody,
    schemas.ExperimentAnswer,
    schemas.ExperimentsAnswer,
    schemas.RulesBody,
    schemas.RulesAnswer,
    schemas.ProblemAnswer,
    title_schemas.ClassifyTitleBody,
    title_schemas.ClassifyTitleAnswer,
    title_schemas.CorrectTitlesBody,
    title_schemas.CorrectTitlesAnswer,
    photo_schemas.SearchImageAnswer,
    photo_schemas.SimilarAnswer,
    photo_schemas.ClassifyImageAnswer,
)
_PROBLEMS = {
    "400": "The body breaks a rule; the answer names it.",
    "401": "No key that is known.",
    "403": "The key may not do this, or not from this origin.",
    "405": "The address takes other methods.",
    "408": "The body took too long to arrive.",
    "413": "The body is too large.",
    "415": "The body is compressed.",
    "500": "A fault of the service.",
    "503": "Too much at once, or the disk refused; come back after Retry-After seconds.",
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    _, components = msgspec.json.schema_components(
        _STRUCTS, ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "thinslice",
            "version": thinslice.__version__,
            "description": "Events in, recommendations out, products kept current.",
        },
        "paths": {
            "/v1/batch": {"post": _batch()},
            "/v1/recommendations": {
                "post": _operation(
                    "recommend",
                    "One explained list, recorded as an exposure",
                    schemas.RecommendationsBody,
                    schemas.RecommendationsAnswer,
                )
            },
            "/v1/products": {
                "put": _operation(
                    "putProducts",
                    "Add products or replace them (secret key)",
                    schemas.ProductsBody,
                    schemas.ProductsAnswer,
                ),
                "patch": _operation(
                    "changeProducts",
                    "Change prices, stock or other fields (secret key)",
                    schemas.ProductChangesBody,
                    schemas.ProductsAnswer,
                ),
            },
            "/v1/products/{product}": {"get": _product()},
            **_experiments(),
            "/v1/rules": {
                "get": _operation(
                    "rules", "What every list keeps to (secret key)", None, schemas.RulesAnswer
                ),
                "patch": _operation(
                    "changeRules",
                    "Pin, bury, and set what every list keeps to (secret key)",
                    schemas.RulesBody,
                    schemas.RulesAnswer,
                ),
            },
            "/v1/classify/title": {
                "post": _operation(
                    "classifyTitle",
                    "The category of one title or of many, with a confidence (secret key)",
                    title_schemas.ClassifyTitleBody,
                    title_schemas.ClassifyTitleAnswer,
                )
            },
            "/v1/corrections/title": {
                "post": _operation(
                    "correctTitles",
                    "Keep what people said of titles, and learn from it (secret key)",
                    title_schemas.CorrectTitlesBody,
                    title_schemas.CorrectTitlesAnswer,
                )
            },
            **_photos(),
            "/healthz": {"get": _health("healthz", "The process answers", "200")},
            "/readyz": {"get": _health("readyz", "It can do its work", "200", "503")},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The key as the user."},
            },
        },
        "security": [{"bearer": []}, {"basic": []}],
    }


def _batch() -> dict[str, Any]:
    operation = _operation(
        "batch",
        "Keep events, in Segment's format; answered when on disk",
        None,
        schemas.BatchAnswer,
    )
    kinds = ("application/json", "text/plain")
    operation["requestBody"] = {
        "required": True,
        "content": {kind: {"schema": _BATCH} for kind in kinds},
    }
    operation["security"] = [{"bearer": []}, {"basic": []}, {}]
    return operation


def _product() -> dict[str, Any]:
    operation = _operation(
        "product", "A product as it stands (secret key)", None, schemas.ProductAnswer
    )
    operation["parameters"] = [
        {"name": "product", "in": "path", "required": True, "schema": {"type": "string"}}
    ]
    operation["responses"]["404"] = _problem("There is no such product.")
    return operation


def _experiments() -> dict[str, Any]:
    """The addresses of experiments, all of which need the secret key."""
    one = schemas.ExperimentAnswer
    acts: dict[str, tuple[str, type[msgspec.Struct]]] = {
        "ramp": ("Change the share of the visitors that take part; 0 pauses", schemas.RampBody),
        "stop": ("End it; everyone keeps the control's list, or gets the new", schemas.StopBody),
        "kill": ("Everyone back to the control's list; needs no body", schemas.KillBody),
    }
    paths: dict[str, Any] = {
        "/v1/experiments": {
            "get": _operation(
                "experiments",
                "All experiments, and the holdout (secret key)",
                None,
                schemas.ExperimentsAnswer,
            ),
            "post": _operation(
                "startExperiment", "Start one (secret key)", schemas.ExperimentBody, one
            ),
        },
        "/v1/experiments/{experiment}": {
            "get": _operation("experiment", "One as it is (secret key)", None, one)
        },
        **{
            f"/v1/experiments/{{experiment}}/{act}": {
                "post": _operation(f"{act}Experiment", f"{summary} (secret key)", body, one)
            }
            for act, (summary, body) in acts.items()
        },
    }
    for address, operations in paths.items():
        for operation in operations.values():
            if "{experiment}" in address:
                operation["parameters"] = [
                    {
                        "name": "experiment",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                    }
                ]
                operation["responses"]["404"] = _problem("There is no such experiment.")
                if address.endswith(("/stop", "/kill")):
                    operation["requestBody"]["required"] = False
    return paths


def _photos() -> dict[str, Any]:
    """The addresses for photos: the photo is the body, what is wished stands in the address."""
    search = _operation(
        "searchImage",
        "The products that look most like a photo",
        None,
        photo_schemas.SearchImageAnswer,
    )
    similar = _operation(
        "similarProducts",
        "The products that look most like one of the catalogue",
        None,
        photo_schemas.SimilarAnswer,
    )
    classify = _operation(
        "classifyImage",
        "What a photo shows: category and colour, with a confidence (secret key)",
        None,
        photo_schemas.ClassifyImageAnswer,
    )
    words = _operation(
        "searchWords", "The products that words describe", None, photo_schemas.SimilarAnswer
    )
    wishes, beside = (
        [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in said.items()
        ]
        for said in (WISHES, CLASSIFY)
    )
    product = {"name": "product", "in": "path", "required": True, "schema": {"type": "string"}}
    search["parameters"] = wishes
    similar["parameters"] = [product, *(w for w in wishes if w["name"] != "region")]
    words["parameters"] = [w for w in wishes if w["name"] not in OF_A_PHOTO]
    classify["parameters"] = beside
    kinds = ("image/jpeg", "image/png", "image/webp", "multipart/form-data")
    for operation in (search, classify):
        operation["requestBody"] = {"required": True, "content": {kind: {} for kind in kinds}}
    for operation in (search, words, similar, classify):
        operation["responses"]["404"] = _problem("There is no index of photos, or no such photo.")
    return {
        "/v1/search/image": {"post": search},
        "/v1/search": {"get": words},
        "/v1/products/{product}/similar": {"get": similar},
        "/v1/classify/image": {"post": classify},
    }


def _operation(
    name: str, summary: str, body: type[msgspec.Struct] | None, success: type[msgspec.Struct]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": success.__doc__, "content": _content(success)},
            **{status: _problem(why) for status, why in _PROBLEMS.items()},
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
    return operation


def _health(name: str, summary: str, *statuses: str) -> dict[str, Any]:
    described = {"description": summary, "content": {"application/json": {"schema": {}}}}
    responses = dict.fromkeys(statuses, described)
    return {"operationId": name, "summary": summary, "security": [], "responses": responses}


def _content(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


def _problem(why: str) -> dict[str, Any]:
    return {"description": why, "content": _content(schemas.ProblemAnswer)}
