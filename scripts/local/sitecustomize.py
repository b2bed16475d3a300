"""The local cloud's Python loads this at start. Its Lambda runtime API writes head and body of a reply as two packets. With
Nagle's algorithm the second waits for the acknowledgement of the first, which costs every invocation 40 to 50 ms."""

import socketserver

socketserver.StreamRequestHandler.disable_nagle_algorithm = True
