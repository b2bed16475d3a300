"""The ports that this tool and its tests give to servers."""

import socket
import sys
import unittest
from collections import deque
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from holdfast_cli.core import processes


class FreePorts(unittest.TestCase):
    def test_a_port_is_given_once_and_never_one_that_the_system_lends_to_an_outgoing_connection(self):
        if not processes._own_ports():
            self.skipTest("this system lends all of them")
        given = [processes.free_port() for _ in range(50)]
        self.assertEqual(len(set(given)), 50)
        self.assertEqual([port for port in given if port in processes.lent_ports()], [])

    def test_outgoing_connections_come_from_the_ports_that_the_system_lends(self):
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as outgoing:
            self.assertIn(outgoing.getsockname()[1], processes.lent_ports())

    def test_a_port_in_use_is_not_given(self):
        busy, free = processes.free_port(), processes.free_port()
        with socket.create_server(("127.0.0.1", busy)), mock.patch.object(processes, "_own_ports", return_value=deque([busy, free])):
            self.assertEqual(processes.free_port(), free)


if __name__ == "__main__":
    unittest.main()
