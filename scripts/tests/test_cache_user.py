"""The cache's user, as Terraform makes it, can run the scripts on our keys and can do nothing else: on a real redis-server."""

import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = (ROOT / "shared/redis/src/scripts.rs").read_text()
NETWORK = (ROOT / "infra/stacks/platform/network.tf").read_text()
MODULE = (ROOT / "infra/modules/elasticache/main.tf").read_text()


def access_string():
    """The expression of the module, with the values that the stack platform gives it."""
    expression = re.search(r'access_string = "([^\n]+)"\n', MODULE).group(1)
    pattern = re.search(r'key_pattern = "([^"]+)"', NETWORK).group(1)
    lists = re.search(r"commands += concat\(\[(.*?)\], .* \? \[(.*?)\] : \[\]\)", NETWORK).groups()
    commands = re.findall(r'"([^"]+)"', ", ".join(lists))
    made = expression.replace("${var.key_pattern}", pattern)
    made, found = re.subn(r"\$\{join\(.*\)\}", " ".join(f"+{command}" for command in commands), made)
    assert found == 1 and "${" not in made, made
    return made


def body(name):
    return re.search(rf'const {name}: &str = r"\n(.*?)\n";', SCRIPTS, re.S).group(1)


def script(name):
    """The Lua code that the crate sends."""
    return body(name) if name == "INCARNATION" else f"{script('INCARNATION')}\n{body(name)}"


def library(name):
    """The library that the crate makes of a script, under another name."""
    form = re.search(r'let library = .*?format!\(\n\s+"(.*?)"\n', SCRIPTS, re.S).group(1).replace("\\n", "\n")
    return form.replace("{name}", "test").replace("{INCARNATION}", f"{script('INCARNATION')}\n").replace("{body}", f"\n{body(name)}\n")


class Client:
    """As much of the protocol as this needs."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.lines = self.socket.makefile("rb")

    def close(self):
        self.lines.close()
        self.socket.close()

    def call(self, *words):
        words = [str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self.reply()

    def reply(self):
        line = self.lines.readline().rstrip(b"\r\n").decode()
        kind, rest = line[0], line[1:]
        if kind == "-":
            return PermissionError(rest) if rest.startswith("NOPERM") else RuntimeError(rest)
        if kind == ":":
            return int(rest)
        if kind == "$":
            if rest == "-1":
                return None
            data = self.lines.read(int(rest) + 2)[:-2]
            return data.decode()
        if kind == "*":
            return None if rest == "-1" else [self.reply() for _ in range(int(rest))]
        return rest


@unittest.skipUnless(shutil.which("redis-server"), "needs a redis-server")
class CacheUser(unittest.TestCase):
    KEYS = ("s:{0193}:3:v", "s:{0193}:3:l")

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            cls.port = free.getsockname()[1]
        cls.server = subprocess.Popen(
            ["redis-server", "--port", str(cls.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", cls.folder.name],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                cls.admin = Client(cls.port)
                break
            except OSError:
                time.sleep(0.05)
        made = cls.admin.call("ACL", "SETUSER", "app", "reset", "nopass", *access_string().split())
        assert made == "OK", made

    @classmethod
    def tearDownClass(cls):
        cls.admin.close()
        cls.server.terminate()
        cls.server.wait(10)
        cls.folder.cleanup()

    def setUp(self):
        self.client = Client(self.port)
        self.assertEqual(self.client.call("AUTH", "app", "any"), "OK")

    def tearDown(self):
        self.client.close()

    def eval(self, name, keys, *arguments):
        return self.client.call("EVAL", script(name), len(keys), *keys, *arguments)

    def test_every_script_runs_on_our_keys(self):
        self.assertEqual(self.eval("WHO", []), ["primary"])
        kind, lease = self.eval("READ", self.KEYS, "nonce", 2000)
        self.assertEqual(kind, "lease")
        self.assertEqual(self.eval("FILL", self.KEYS, lease, "copy", 60000), 1)
        self.assertEqual(self.eval("READ", self.KEYS, "nonce", 2000), ["hit", "copy"])
        self.assertEqual(self.eval("DELETE", self.KEYS), ["deleted"])
        self.assertEqual(self.admin.call("DBSIZE"), 0)

    def test_the_library_is_loaded_and_its_function_runs_on_our_keys(self):
        self.assertEqual(self.client.call("FUNCTION", "LOAD", library("READ")), "test")
        self.addCleanup(self.admin.call, "FUNCTION", "FLUSH")
        self.addCleanup(self.admin.call, "FLUSHALL")
        kind, lease = self.client.call("FCALL", "test", 2, *self.KEYS, "nonce", 2000)
        self.assertEqual(kind, "lease")
        self.assertEqual(self.eval("FILL", self.KEYS, lease, "copy", 60000), 1)
        self.assertEqual(self.client.call("FCALL", "test", 2, *self.KEYS, "nonce", 2000), ["hit", "copy"])
        self.assertIsInstance(self.client.call("FCALL", "test", 2, "other", "s:{0193}:3:l", "nonce", 2000), PermissionError)

    def test_all_scripts_are_tried(self):
        self.assertEqual(set(re.findall(r'^const (\w+): &str = r"$', SCRIPTS, re.M)), {"INCARNATION", "READ", "FILL", "DELETE", "WHO"})

    def test_what_the_client_sends_by_itself_is_allowed(self):
        self.assertIsInstance(self.client.call("EVALSHA", "0" * 40, 0), RuntimeError)
        self.assertEqual(self.client.call("PING"), "PONG")
        for command in (["CLUSTER", "SLOTS"], ["ASKING"]):
            self.assertNotIsInstance(self.client.call(*command), PermissionError, command)

    def test_it_may_change_to_the_protocol_that_the_client_speaks(self):
        # The answer is a map, which this client reads no further.
        fresh = Client(self.port)
        self.addCleanup(fresh.close)
        self.assertNotIsInstance(fresh.call("HELLO", "3", "AUTH", "app", "any"), Exception)

    def test_what_it_may_not_send_it_can_do_without(self):
        # In a cluster the client says who it is, and does not look at the answer. Servers before 7.2 do not know the command at all.
        self.assertIsInstance(self.client.call("CLIENT", "SETINFO", "LIB-NAME", "redis-rs"), Exception)
        self.assertEqual(self.client.call("PING"), "PONG")

    def test_no_other_key_can_be_touched(self):
        for key in ("other", "s:plain", "S:{0193}:3:v"):
            self.assertIsInstance(self.client.call("GET", key), PermissionError, key)
            self.assertIsInstance(self.eval("DELETE", [key]), Exception, key)

    def test_no_other_command_can_be_sent(self):
        for command in ("FLUSHALL", "FLUSHDB", "KEYS *", "SCAN 0", "CONFIG GET *", "ACL LIST", "CLIENT LIST", "MONITOR",
                        "REPLICAOF no one", "SCRIPT FLUSH", "SHUTDOWN", "SUBSCRIBE c", "PUBLISH c m", "EXPIRE s:{1}:1:v 1", "MGET s:{1}:1:v",
                        "DUMP s:{1}:1:v", "CLUSTER FAILOVER", "FUNCTION LIST", "FUNCTION FLUSH", "FUNCTION DELETE test", "SELECT 1"):
            self.assertIsInstance(self.client.call(*command.split()), PermissionError, command)

    def test_no_command_is_allowed_that_nothing_needs(self):
        lua = set(re.findall(r"redis\.p?call\('(\w+)'", SCRIPTS))
        sent = {"EVAL", "EVALSHA", "FCALL", "FUNCTION|LOAD", "PING", "ASKING", "CLUSTER|SLOTS"}
        self.assertEqual({word[1:].upper() for word in access_string().split() if word.startswith("+")}, lua | sent)


if __name__ == "__main__":
    unittest.main()
