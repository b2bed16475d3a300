"""What one thing takes from DynamoDB, in read and write units, counted in the code that does it. The bill and the plan reckon
with the same."""

# Ticket: a write. Authorizer: ticket and slot. $connect: the ticket consumed, the slot before and after, one transaction at twice the
# price (three rows and a check) with an entry of the index, the user's sockets. `hello`: the frame counted; slot, topics, two heads.
# The end: three rows, the entry, and the memory that it is gone.
HANDSHAKE = {"reads": 9, "writes": 1 + 1 + 2 * 4 + 1 + 1 + 5}
# The slot, the socket's topics, the head of its own channel; the frame counted, its window and the twin moved on.
PING = {"reads": 3, "writes": 3}
# The head; the user's sockets. One transaction at twice the price: the head, the message, its id.
PUSH = {"reads": 1 + 1, "writes": 2 * 3}
# The socket and its slot. Once in 16 times its topics, and the row, the twin and the entry with its index (EXTEND_ONE_IN, shared/push).
EXPIRED_POST = {"reads": 2 + 1 / 16, "writes": 4 / 16}
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
