"""Loaded by the local cloud's Python at start: its Lambda runtime API writes head and body of a reply as two packets, and
with Nagle's algorithm the second waits for the acknowledgement of the first, which costs every invocation 40 to 50 ms."""

import socketserver

socketserver.StreamRequestHandler.disable_nagle_algorithm = True
