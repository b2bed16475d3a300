"""Tests the checks of a build for arm64, without a build. The executable is read, and a function of ten lines uses the Runtime API
that sends it an event."""

import os
import struct
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fakes import Command

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.verify import arm64, runtime_api

FUNCTION = """
import http.client, json, os, sys
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
connection.request("GET", "/2018-06-01/runtime/invocation/next")
answer = connection.getresponse()
event, number = json.load(answer), answer.headers["Lambda-Runtime-Aws-Request-Id"]
%s
connection.request("POST", f"/2018-06-01/runtime/invocation/{number}/" + where, body=body, headers=headers, encode_chunked="Transfer-Encoding" in headers)
connection.getresponse().read()
connection.request("GET", "/2018-06-01/runtime/invocation/next")
connection.getresponse()
"""


class Runtime(unittest.TestCase):
    def answer(self, says):
        return arm64.answer([sys.executable], (FUNCTION % says).encode(), runtime_api.http_event("GET", "/v1/nowhere"))

    def test_a_function_gets_its_event_and_its_answer_comes_back(self):
        for body in ('headers, body = {}, json.dumps(event["rawPath"])',
                     'headers, body = {"Transfer-Encoding": "chunked"}, iter([b\'"/v1\', b\'/nowhere"\'])'):
            self.assertEqual(self.answer(f'where = "response"; {body}'), "/v1/nowhere")

    def test_a_function_that_fails_ends_or_says_nothing_is_a_failure_with_its_words(self):
        for says, wanted in (('where, headers, body = "error", {}, "no"', "the function failed"),
                             ("sys.exit('no table')", "ended without an answer: no table")):
            with self.assertRaises(Failed) as caught:
                self.answer(says)
            self.assertIn(wanted, str(caught.exception))


class Executables(unittest.TestCase):
    ELF = b"\x7fELF" + bytes(14) + struct.pack("<H", 183)

    def test_another_machines_executable_is_refused(self):
        for content in (b"#!/bin/sh\n", self.ELF[:-2] + struct.pack("<H", 62)):
            with self.assertRaises(Failed):
                arm64.check_executable("x", content)

    def test_a_c_library_newer_than_lambdas_is_refused(self):
        self.assertEqual(arm64.check_executable("x", self.ELF + b"GLIBC_2.17\0GLIBC_2.34\0GLIBC_2.9\0"), (2, 34))
        with self.assertRaises(Failed) as caught:
            arm64.check_executable("x", self.ELF + b"GLIBC_2.39\0")
        self.assertIn("needs glibc 2.39", str(caught.exception))

    def test_a_missing_emulator_is_named_with_the_way_to_install_it(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(arm64, "machine_arch", lambda: "x86_64"):
            with mock.patch.dict(os.environ, {"PATH": folder}), self.assertRaises(Refused) as caught:
                arm64.emulator()
            self.assertIn("qemu-aarch64 is missing: install", str(caught.exception))
            with Command(Path(folder), **{"qemu-aarch64": "true"}), mock.patch.object(arm64, "LIBRARIES", folder + "/none"), \
                    self.assertRaises(Refused) as caught:
                arm64.emulator()
            self.assertIn("libc6-arm64-cross", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
