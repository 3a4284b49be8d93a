from __future__ import annotations

from pathlib import Path

from thinslice.server.api.openapi import document


def test_every_reference_of_the_document_leads_somewhere() -> None:
    found = document()
    known = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}

    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            here = {value["$ref"]} if "$ref" in value else set()
            return here.union(*(references(v) for v in value.values()))
        if isinstance(value, list):
            return set().union(*(references(v) for v in value))
        return set()

    assert references(found) <= known


def test_every_operation_says_what_can_go_wrong() -> None:
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            expected = {"200", "503"} if path == "/readyz" else {"200"}
            if path.startswith("/v1/"):
                expected = {"200", "400", "401", "403", "405", "408", "413", "415", "500", "503"}
            assert expected <= set(operation["responses"]), path


def test_every_operation_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
    for path, operations in document()["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in page


def test_every_field_of_a_body_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
    schemas = document()["components"]["schemas"]
    for name in ("RecommendationsBody", "FilterBody", "ProductBody", "RecommendedProduct"):
        for field in schemas[name]["properties"]:
            assert f"`{field}`" in page, f"{name}.{field}"
