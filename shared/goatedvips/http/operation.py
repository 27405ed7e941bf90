"""Operations of the API: the routes of a handler, with the parameters and the return type of the functions behind them.

Powertools has the routes, and describes them in the OpenAPI document. It could also carry requests out, but would
examine the types of all parameters again for each request, which took half of a request's CPU. Here it is done once.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.openapi.compat import ModelField, get_missing_field_error
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from goatedvips.http.bodies import JSON

type Proceed = Callable[[APIGatewayHttpResolver], Response[Any]]


class _Parameter(NamedTuple):
    """A parameter of the function behind a route.

    Parameters
    ----------
    location: where its value is: `path` or `query` with its name there, or `body`.
    """

    name: str
    location: tuple[str, ...]
    is_required: bool
    field: ModelField

    def validate(self, given: object, errors: list[dict[str, Any]]) -> Any:
        """Return the value, or the default if it is absent; add what is wrong with it to the errors."""
        if given is None:
            if self.is_required:
                errors.append(get_missing_field_error(self.location))
                return None
            return self.field.get_default()
        value, found = self.field.validate(given, loc=self.location)
        errors.extend(found or ())
        return value


class Operation:
    """A route with the function behind it.

    Raises
    ------
    TypeError: the function does not declare what it returns.
    """

    def __init__(self, route: Route) -> None:
        declared = route.dependant
        if declared.return_param is None:
            raise TypeError(f"{route.func.__name__} does not declare what it returns")
        self.method = route.method
        self.match = route.rule.match
        self._function = route.func
        self._status = route.status_code
        self._middlewares = route.middlewares
        self._in_path = [_parameter(field, "path", field.alias) for field in declared.path_params]
        self._in_query = [_parameter(field, "query", field.alias) for field in declared.query_params]
        self._body = next((_parameter(field, "body") for field in declared.body_params), None)
        self._returned = declared.return_param

    @property
    def takes_body(self) -> bool:
        """Whether the function has a parameter for the request's body."""
        return self._body is not None

    def arguments(self, path: Mapping[str, str], event: APIGatewayProxyEventV2) -> dict[str, Any]:
        """Return the arguments of the function that a request gives.

        Parameters
        ----------
        path: the parts of the path that stand for parameters.

        Raises
        ------
        RequestValidationError, MalformedRequest
        """
        errors: list[dict[str, Any]] = []
        arguments = {each.name: each.validate(path[each.location[1]], errors) for each in self._in_path}
        for each in self._in_query:
            arguments[each.name] = each.validate(_query_value(event, each.location[1]), errors)
        if self._body is not None:
            arguments[self._body.name] = self._body.validate(event.json_body, errors)
        if errors:
            raise RequestValidationError(errors)
        return arguments

    def call(self, api: APIGatewayHttpResolver, arguments: Mapping[str, Any]) -> Response[Any]:
        """Call the function through the route's middlewares; the body of the response is ready to be encoded as JSON.

        Raises
        ------
        RequestValidationError: with the location `response`, if the function returned what it does not declare.
        Exception: what the function raises.
        """

        def proceed(_: APIGatewayHttpResolver) -> Response[Any]:
            returned = self._function(**arguments)
            response = returned if isinstance(returned, Response) else Response(self._status, JSON, returned)
            body, errors = self._returned.validate(response.body, loc=("response",))
            if errors:
                raise RequestValidationError(errors)
            response.body = self._returned.serialize(body)
            return response

        next_one: Proceed = proceed
        for middleware in reversed(self._middlewares):
            next_one = partial(middleware, proceed=next_one)
        return next_one(api)


def _parameter(field: ModelField, *location: str) -> _Parameter:
    return _Parameter(field.name, location, field.required, field)


def _query_value(event: APIGatewayProxyEventV2, name: str) -> str | list[str] | None:
    """Return the value of a query parameter; a list if the request has it several times.

    API Gateway joins several values with commas, which a single value may contain as well.
    """
    value = event.query_string_parameters.get(name)
    if value is None or "," not in value:
        return value
    values = parse_qs(event.raw_query_string, keep_blank_values=True).get(name, [])
    return values if len(values) > 1 else value
