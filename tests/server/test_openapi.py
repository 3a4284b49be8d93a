from __future__ import annotations

from thinslice.server.openapi import document


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
