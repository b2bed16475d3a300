"""The local cloud answers Terraform a little later than it can."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from fakes import settings

TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 terraform-provider-aws/5.100.0 aws-sdk-go-v2/1.36.3"


def order(agent, **more):
    """What happens while an application answers a request, in a process that starts as the local cloud does."""
    program = """if True:
        import asyncio, json, sys
        from hypercorn.app_wrappers import ASGIWrapper
        happened, known = [], asyncio.sleep

        async def application(scope, receive, send):
            happened.append("executed")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x"})

        async def sleep(seconds):
            happened.append("waits" if seconds > 0 else "waits for nothing")
            await known(0)

        async def send(message):
            happened.append(message["type"])

        asyncio.sleep = sleep
        scope = {"type": "http", "method": "POST", "headers": [(b"host", b"x"), (b"user-agent", sys.argv[1].encode())]}
        asyncio.run(ASGIWrapper(application)(scope, None, send, None, None))
        print(json.dumps(happened))
    """
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(settings.ROOT / "scripts" / "local"), "PYTHONDONTWRITEBYTECODE": "1", **more}
    answer = subprocess.run([sys.executable, "-c", program, agent], env=environment, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


class LateAnswers(unittest.TestCase):
    def test_terraform_has_sent_all_of_its_request_before_the_answer_begins(self):
        self.assertEqual(order(TERRAFORM), ["executed", "waits", "http.response.start", "http.response.body"])

    def test_it_waits_also_while_requests_are_recorded(self):
        with tempfile.TemporaryDirectory() as folder:
            happened = order(TERRAFORM, HOLDFAST_RECORDING=folder + "/none")
        self.assertEqual(happened, ["executed", "waits", "http.response.start", "http.response.body"])

    def test_nothing_else_waits(self):
        for agent in ("aws-sdk-rust/1.3.14", "Boto3/1.43 md/Botocore", "curl/8"):
            self.assertEqual(order(agent), ["executed", "http.response.start", "http.response.body"], agent)


if __name__ == "__main__":
    unittest.main()
