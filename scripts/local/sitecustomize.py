"""The local cloud's Python loads this at start. Its Lambda runtime API writes head and body of a reply as two packets. With
Nagle's algorithm the second waits for the acknowledgement of the first, which costs every invocation 40 to 50 ms."""

import os
import socketserver

import late_answers
import route_selection

route_selection.install()
late_answers.install()

socketserver.StreamRequestHandler.disable_nagle_algorithm = True

# Only for `holdfast conform` and the tests: the requests that the local cloud gets. Functions in Python inherit the variable and serve nothing.
if os.environ.get("HOLDFAST_RECORDING"):
    import recorder

    recorder.install(os.environ["HOLDFAST_RECORDING"])

# Only where something runs with the role of a pipeline.
if os.environ.get("HOLDFAST_IAM_REQUESTS"):
    import iam_requests

    iam_requests.install()
