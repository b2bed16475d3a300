"""What one thing takes from DynamoDB, in read and write units, and what it logs. Both are counted in the code that does it. The bill and
the plan reckon with the same."""

# Ticket: a write. Authorizer: ticket and slot. $connect: the ticket consumed, the slot before and after, two rows and the entry in
# the index of one, whether it is closed, the user's sockets. `hello`: the frame counted; slot, topics, two heads. The end: the mark that it is
# closed; its rows read; two rows and the entry deleted.
HANDSHAKE = {"reads": 11, "writes": 1 + 1 + 3 + 1 + 4}
# The slot, the socket's topics, the head of its own channel; the frame counted in a new window, the twin moved on.
PING = {"reads": 3, "writes": 2}
# The head; the user's sockets. The message; the head. With an idempotency key, one transaction at twice the price: the head, the message
# and its id; the key stored and answered.
PUSH = {"reads": 1 + 1, "writes": 1 + 1}
KEYED_PUSH = {"reads": 1 + 1, "writes": 2 * 3 + 2}
# The socket and its slot. Once in 16 times its topics, and the row with its entry in the index, and the twin (EXTEND_ONE_IN, shared/push).
EXPIRED_POST = {"reads": 2 + 1 / 16, "writes": 3 / 16}
# Budgets, account, slots; a transaction of three items at twice the price.
SIGN_IN = {"reads": 6, "writes": 4 + 3 * 2}
REFRESH = {"reads": 1, "writes": 1}
# Sent, received, deleted.
PUSH_QUEUE_REQUESTS = 3
# Ticket, $connect, `hello`, and its `welcome`; a ping and its `pong`. A keep-alive has no answer.
HANDSHAKE_REQUESTS = 4
# Of these, the messages that API Gateway bills: `hello` and its `welcome`.
HANDSHAKE_MESSAGES = 2
PING_REQUESTS = 2
KEEP_ALIVE_REQUESTS = 1
# Functions of a handshake: ticket, authorizer, $connect, `hello`, $disconnect.
HANDSHAKE_INVOCATIONS = 5

# The lines of metrics that functions log when all goes well, as function and metric. The others of a handshake, and pings, log nothing.
LINES = {
    "validation": (("sessions-current", "CACHE_MISS"),),
    "sign-in": (("auth-login", "AUTHENTICATED"),),
    "refresh": (("auth-refresh", "SESSION_REFRESHED"),),
    "handshake": (("push-connect", "SOCKET_OPENED"), ("push-disconnect", "SOCKET_CLOSED")),
    "push": (("push-publish", "PUSH_ACCEPTED"), ("push-fanout", "PUSH_DELIVERED,PUSH_LATENCY")),
    "event": (("events-audit-trail", "AuditEntryWritten"),),
}
# Bytes of these lines. A test reads the real ones (scripts/live_tests/test_log_lines.py), whose environment may have a longer name.
LOG_BYTES = {"validation": 240, "sign-in": 240, "refresh": 250, "handshake": 480, "push": 570, "event": 260, "ping": 0}
