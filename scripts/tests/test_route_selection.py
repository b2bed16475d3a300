"""The local cloud selects the route of a frame as API Gateway does."""

import json
import os
import subprocess
import sys
import unittest

from fakes import settings

FRAMES = ('{"action":"keepalive"}', '{"action":"$connect"}', '{"action":"$default"}', '{"action":"ping"}', '{"type":"x"}', '{"action":{"a":1}}', "[]", "x", "")


def routes(expression, frames=FRAMES):
    """The route of each frame, of an API with the routes of this stack, in a process that starts as the local cloud does."""
    program = """if True:
        import json, sys
        from ministack.services import apigateway
        expression, frames = json.loads(sys.argv[1])
        keys = ["$connect", "$default", "$disconnect", "keepalive", "keepalive-frame"]
        apigateway._routes["a"] = {key: {"routeKey": key} for key in keys}
        print(json.dumps([apigateway._match_ws_route("a", apigateway._evaluate_route_selection(expression, frame))["routeKey"] for frame in frames]))
    """
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(settings.ROOT / "scripts" / "local"), "PYTHONDONTWRITEBYTECODE": "1"}
    answer = subprocess.run([sys.executable, "-c", program, json.dumps([expression, frames])], env=environment, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


class Selection(unittest.TestCase):
    def test_only_the_keep_alive_has_a_route_of_its_own(self):
        self.assertEqual(routes("${request.body.action}-frame"), ["keepalive-frame"] + ["$default"] * 8)

    def test_without_the_text_a_frame_names_the_route_that_opens_sockets(self):
        self.assertEqual(routes("${request.body.action}", FRAMES[:2]), ["keepalive", "$connect"])

    def test_other_expressions_are_as_they_were(self):
        self.assertEqual(routes("$request.body.action", FRAMES[:2]), ["keepalive", "$connect"])
        self.assertEqual(routes("\\$default", FRAMES[:2]), ["$default"] * 2)

    def test_the_expression_is_that_of_the_stack(self):
        stack = (settings.ROOT / "infra/stacks/push/main.tf").read_text(encoding="utf-8")
        self.assertIn('route_selection_expression = "$${request.body.action}-frame"', stack)
        self.assertIn('{ "keepalive-frame" = local.keep_alive_throttling }', stack)


if __name__ == "__main__":
    unittest.main()
