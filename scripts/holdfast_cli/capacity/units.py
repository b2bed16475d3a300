"""What one thing takes from DynamoDB, in read and write units, counted in the code that does it. The bill and the plan reckon
with the same."""

# Ticket: a write. Authorizer: ticket and slot. $connect: the ticket consumed, the slot before and after, one transaction at twice the
# price (three rows and a check) with an entry of the index, the user's sockets. `hello`: the frame counted; slot, topics, two heads.
# The end: three rows, the entry, and the memory that it is gone.
HANDSHAKE = {"reads": 9, "writes": 1 + 1 + 2 * 4 + 1 + 1 + 5}
# The slot, the socket's topics, the head of its own channel; the frame counted, its window and the twin moved on.
PING = {"reads": 3, "writes": 3}
# Ticket, $connect, `hello`, and its `welcome`; a ping and its `pong`.
HANDSHAKE_REQUESTS = 4
PING_REQUESTS = 2
