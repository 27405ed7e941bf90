"""GET /problems/{code}: the page that explains an error, to which the `type` of its problem documents leads."""

from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.http.pages import problem_page

api = HttpApi("anyone")


@api.route("/problems/<code>", method=["GET", "HEAD"], include_in_schema=False)
def show_problem(code: str) -> Response[str]:
    return problem_page(code)


handler = lambda_handler(api)
