"""What a route takes from a request, and what it makes of what its function returns."""

import json
from typing import Annotated, Any

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import BaseModel

from goatedvips.errors import InternalError, ValidationFailed
from goatedvips.http import HttpApi
from goatedvips.http.bodies import parse
from goatedvips.http.operation import Operation
from goatedvips.http.problems import problem_of


class Thing(BaseModel):
    """A body."""

    name: str
    count: int = 1


api = HttpApi("anyone")


@api.post("/things/<id>", status_code=201)
def change_thing(
    id: Annotated[int, Path()],  # noqa: A002
    body: Thing,
    q: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(le=100)] = 20,
) -> Thing:
    """Return the body, with what else was given in its name."""
    return Thing(name=f"{id} {body.name} {q} {limit}", count=body.count)


api.prepare()
(OPERATION,) = api._operations


def operation_of(function: Any) -> Operation:
    other = HttpApi("anyone")
    other.get("/")(function)
    other.prepare()
    return other._operations[0]


def arguments(query: str = "", body: object = None, path_id: str = "7") -> dict[str, Any]:
    """Return the arguments that a request gives, whose query is written as `name=value&…`."""
    parameters: dict[str, str] = {}
    for name, _, value in (pair.partition("=") for pair in query.split("&") if pair):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value  # as API Gateway joins them
    event: dict[str, Any] = {"rawQueryString": query, "body": json.dumps({"name": "n"} if body is None else body)}
    if parameters:
        event["queryStringParameters"] = parameters
    return OPERATION.arguments({"id": path_id}, APIGatewayProxyEventV2(event, parse))


def faults(**request: Any) -> list[tuple[str, str]]:
    """Return the pointers and details of a refusal."""
    with pytest.raises(RequestValidationError) as refused:
        arguments(**request)
    problem = problem_of(refused.value)
    assert isinstance(problem, ValidationFailed)
    errors: Any = problem.members["errors"]
    return [(error["pointer"], error["detail"]) for error in errors]


def test_arguments_come_from_the_path_the_query_and_the_body() -> None:
    assert arguments("q=a&limit=5") == {"id": 7, "body": Thing(name="n"), "q": "a", "limit": 5}


def test_absent_parameters_have_their_defaults() -> None:
    given = arguments()
    assert (given["q"], given["limit"]) == (None, 20)


@pytest.mark.parametrize(("query", "value"), [("q=", ""), ("q=a,b", "a,b"), ("q=,", ","), ("other=1&other=2", None)])
def test_one_value_may_have_commas(query: str, value: str | None) -> None:
    assert arguments(query)["q"] == value


@pytest.mark.parametrize("query", ["q=a&q=b", "q=&q=", "limit=1&limit=2"])
def test_several_values_of_one_parameter_are_refused(query: str) -> None:
    ((pointer, _),) = faults(query=query)
    assert pointer == f"/{query[: query.index('=')]}"


def test_every_fault_is_reported_at_once() -> None:
    found = faults(query="limit=101", body={"count": "x"})
    assert [pointer for pointer, _ in found] == ["/limit", "/name", "/count"]


@pytest.mark.parametrize("body", [[{"name": "n"}], [], "name", 7, True])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert faults(body=body) == [("", "must be an object")]


def test_the_answer_is_what_the_function_declares() -> None:
    response = OPERATION.call(api, arguments())
    assert (response.status_code, response.body) == (201, {"name": "7 n None 20", "count": 1})
    assert response.headers == {"Content-Type": "application/json"}


def test_a_function_that_returns_something_else_is_a_fault_of_ours() -> None:
    def wrong() -> Response[Thing]:
        return Response(200, "application/json", {"count": 1})  # type: ignore[arg-type]

    with pytest.raises(RequestValidationError) as failed:
        operation_of(wrong).call(api, {})
    assert isinstance(problem_of(failed.value), InternalError)


def test_middlewares_run_around_the_function_in_their_order() -> None:
    seen = []

    def middleware(name: str) -> Any:
        def run(api: Any, proceed: Any) -> Any:
            seen.append(name)
            response = proceed(api)
            seen.append(f"after {name}")
            return response

        return run

    other = HttpApi("anyone")

    @other.get("/", middlewares=[middleware("first"), middleware("second")])
    def answer() -> Response[None]:
        seen.append("function")
        return Response(204)

    other.prepare()
    assert other._operations[0].call(other, {}).body is None
    assert seen == ["first", "second", "function", "after second", "after first"]


def test_a_function_must_declare_what_it_returns() -> None:
    def nothing():  # type: ignore[no-untyped-def]  # noqa: ANN202
        """Declare nothing."""

    with pytest.raises(TypeError, match="nothing"):
        operation_of(nothing)
